#include "step.h"

int counter;

int twice(int n) {
	counter++;
	return 2 * n;
}

void _start(void) {
	for (int i = 0; i < 3; i++)
		step(twice(i));
	for (;;) {
	}
}
