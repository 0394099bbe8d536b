package batch_test

import (
	"testing"

	"pgregory.net/rapid"
)

func FuzzCodec(f *testing.F) { f.Fuzz(rapid.MakeFuzz(codecRoundTrip)) }
