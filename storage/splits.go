package storage

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"fletch/engine/plan"
)

// What cutting follows: the total size alone, so that the same input gives the same splits, and so the same bytes of
// output, on every machine.
const (
	wantedSplits  = 8
	minSplitBytes = 4 << 20
	maxSplitBytes = 128 << 20
	maxSplits     = 1_000_000

	// compressedRatio estimates the bytes that one compressed byte stands for.
	compressedRatio = 4
)

// Splits lists what the patterns name and cuts it into at least one split, in the order of the files' names. A file
// that several patterns name is read once. A big file is cut into equal ranges of bytes, small ones are packed
// together; a compressed one (.gz, .zst) is never cut. Split.Bytes is the size once uncompressed, estimated.
func Splits(ctx context.Context, patterns []string) ([]plan.Split, error) {
	var files []Info
	for _, pattern := range patterns {
		p, err := providerOf(pattern)
		if err != nil {
			return nil, err
		}
		found, err := p.List(ctx, pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	slices.SortFunc(files, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	files = slices.CompactFunc(files, func(a, b Info) bool { return a.Name == b.Name })
	return cut(files, maxSplits)
}

// cut packs and cuts files, which are in the order of their names.
func cut(files []Info, limit int) ([]plan.Split, error) {
	var total int64
	for _, f := range files {
		total = addSizes(total, plainBytes(f))
	}
	target := max(minSplitBytes, min(maxSplitBytes, total/wantedSplits))

	var splits []plan.Split
	var pack plan.Split // of small files, not yet in splits
	flush := func() {
		if len(pack.Files) > 0 {
			splits = append(splits, pack)
			pack = plan.Split{}
		}
	}
	for _, f := range files {
		plain := plainBytes(f)
		if plain <= target || isCompressed(f.Name) {
			if pack.Bytes > 0 && plain > target-pack.Bytes {
				flush()
			}
			pack.Files = append(pack.Files, plan.FileRange{Path: f.Name, Length: f.Size, Size: f.Size, Whole: isCompressed(f.Name)})
			pack.Bytes = addSizes(pack.Bytes, plain)
			continue
		}
		flush()
		pieces := (plain-1)/target + 1
		if int64(len(splits))+pieces > int64(limit) {
			return nil, tooManySplits(total, limit)
		}
		splits = appendRanges(splits, f, pieces)
	}
	flush()
	if len(splits) > limit {
		return nil, tooManySplits(total, limit)
	}
	if len(splits) == 0 {
		splits = []plan.Split{{}}
	}
	return splits, nil
}

// appendRanges cuts f into ranges whose lengths differ by at most one byte.
func appendRanges(splits []plan.Split, f Info, pieces int64) []plan.Split {
	length, longer := f.Size/pieces, f.Size%pieces
	var offset int64
	for i := range pieces {
		n := length
		if i < longer {
			n++
		}
		splits = append(splits, plan.Split{
			Files: []plan.FileRange{{Path: f.Name, Offset: offset, Length: n, Size: f.Size}},
			Bytes: n,
		})
		offset += n
	}
	return splits
}

func tooManySplits(total int64, limit int) error {
	return permanentf("the input's %d bytes make more than %d splits: run the job on a part of it at a time", total, limit)
}

// isCompressed reports whether only the whole file can be read.
func isCompressed(name string) bool {
	return strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst")
}

func plainBytes(f Info) int64 {
	if !isCompressed(f.Name) {
		return f.Size
	}
	if f.Size > math.MaxInt64/compressedRatio {
		return math.MaxInt64
	}
	return f.Size * compressedRatio
}

// addSizes saturates, as sparse files may claim any size.
func addSizes(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
