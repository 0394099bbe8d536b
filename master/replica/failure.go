package replica

import "context"

// failure is why a replica can't be trusted any more. The first cause stays: nothing is tried again after it.
type failure struct {
	context context.Context // ends at the first failure
	set     context.CancelCauseFunc
}

func newFailure() *failure {
	ctx, set := context.WithCancelCause(context.Background())
	return &failure{context: ctx, set: set}
}

// cause returns why, nil while nothing has failed.
func (f *failure) cause() error { return context.Cause(f.context) }
