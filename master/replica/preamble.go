package replica

// PreamblePrefix is how a connection of one master's replica to another's begins.
const PreamblePrefix = "FLETCH-RAFT/"
