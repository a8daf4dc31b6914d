package buildabi

// The tags of the messages to a client; the one message from a client has tag 0.
const (
	tagHello = iota
	tagStatusUpdate
	tagStepUpdate
	tagSourceIndex
	tagCoverageUpdate
	tagEntryPoints
	tagGenericResult
	tagCompileResult
	tagRunTestResult

	tagRebuild = 0
)

// Where the fields of the fixed parts start, and where these parts end. The tag is at 0.
const (
	helloStatus    = 1
	helloFlags     = 2
	helloTimestamp = 4
	helloSteps     = 12
	helloSize      = 16

	statusNew        = 1
	statusUpdateSize = 2

	stepIndex      = 1 // of every message about one step
	stepBits       = 5
	stepUpdateSize = 6

	indexPadding     = 1
	indexDirectories = 4
	indexFiles       = 8
	indexLocations   = 12
	indexStrings     = 16
	indexStart       = 20
	indexSize        = 28
	indexStartRuns   = 28 // V3
	indexSizeV3      = 36

	coveragePadding = 1
	coverageRuns    = 8
	coverageUnique  = 16
	coverageSize    = 24

	entryCount = 1
	entrySize  = 4

	genericTotal = 5
	genericSize  = 13

	compileFlags   = 5
	compileStats   = 6
	compileTotal   = 94
	compileTimings = 102
	compileFiles   = 106
	compileDecls   = 110
	compileSize    = 114

	testsCount = 5
	testsSize  = 9
)

// Sizes of what follows the fixed parts.
const (
	fileSize     = 8
	locationSize = 12
	declSize     = 32 // after the name and its terminator
	wordSize     = 8  // bytes of a bitset's word
)

// Bits of the flag fields; all others are reserved.
const (
	helloTimeReport = 1
	compileUseLLVM  = 1
)

// maxEntryPoints is what the 24-bit count can say.
const maxEntryPoints = 1<<24 - 1
