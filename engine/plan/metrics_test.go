package plan

import (
	"reflect"
	"testing"
)

// TestMetrics adds and takes away every field, of which none may be forgotten. A peak is the greatest one, and stays.
func TestMetrics(t *testing.T) {
	var one, two Metrics
	for i := range reflect.TypeFor[Metrics]().NumField() {
		reflect.ValueOf(&one).Elem().Field(i).SetInt(int64(i + 1))
		reflect.ValueOf(&two).Elem().Field(i).SetInt(int64(i + 1))
	}
	sum := one
	sum.Add(two)
	for i := range reflect.TypeFor[Metrics]().NumField() {
		want := int64(2 * (i + 1))
		if reflect.TypeFor[Metrics]().Field(i).Name == "PeakBytes" {
			want = int64(i + 1)
		}
		if have := reflect.ValueOf(sum).Field(i).Int(); have != want {
			t.Errorf("the sum of %s is %d, want %d", reflect.TypeFor[Metrics]().Field(i).Name, have, want)
		}
	}
	sum.Sub(two)
	if sum != one {
		t.Errorf("what is left is %+v, want %+v", sum, one)
	}
}
