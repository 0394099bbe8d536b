package shuffle

import "errors"

// errNoBlock means that an output has no such exchange or partition.
var errNoBlock = errors.New("the attempt did not write to this exchange and partition")

// output is what an attempt committed: in memory, or in a file.
type output struct {
	held   int64                 // of the Store's budget
	memory map[int][]memoryBlock // by exchange and partition; nil if the output is a file
	file   *File
}

// memoryBlock is a block whose frames are in memory. They are immutable.
type memoryBlock struct {
	frames [][]byte
	rows   int64
}

// block returns a block of an output in memory.
func (o *output) block(exchange, partition int) (memoryBlock, error) {
	if blocks := o.memory[exchange]; partition < len(blocks) {
		return blocks[partition], nil
	}
	return memoryBlock{}, errNoBlock
}
