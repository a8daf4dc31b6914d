extern int counter;
static void step(int n) {
	if (n > 2)
		counter += n;
}
