package frame

import "context"

// Side measures one side of a comparison once.
type Side func(ctx context.Context) (float64, error)

// Interleave runs every side once a round, each round beginning with the next side, and returns
// the samples of each side in the order of sides. It stops at the first error.
func Interleave(ctx context.Context, rounds int, sides ...Side) ([][]float64, error) {
	samples := make([][]float64, len(sides))
	for round := range rounds {
		for i := range sides {
			side := (round + i) % len(sides)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			value, err := sides[side](ctx)
			if err != nil {
				return nil, err
			}
			samples[side] = append(samples[side], value)
		}
	}
	return samples, nil
}
