package buildabi

import (
	"encoding/binary"
	"math"
)

// CompileResult is the time report of a compile step.
type CompileResult struct {
	Step        uint32 // index into the steps of the last [Hello]
	UseLLVM     bool
	Stats       Stats
	Total       uint64   // ns that the step took
	PassTimings string   // LLVM's own report, as text
	Files       []string // without NUL
	Decls       []Decl
}

// Stats are a compiler's own figures. Times are in nanoseconds; those of work on several threads
// are processor time (CPU), the others are of the clock.
type Stats struct {
	ReachableFiles   uint32
	ImportedFiles    uint32
	GenericInstances uint32
	InlineCalls      uint32
	CPUParse         uint64
	CPUAstGen        uint64
	CPUSema          uint64
	CPUCodegen       uint64
	CPULink          uint64
	Files            uint64
	Decls            uint64
	LLVMEmit         uint64
	LinkFlush        uint64
}

// Decl is what one declaration cost. Times are in nanoseconds.
type Decl struct {
	Name      string // without NUL; may be empty
	File      uint32 // index into the report's files
	SemaCount uint32 // how often it was analysed
	Sema      uint64
	Codegen   uint64
	Link      uint64
}

func (*CompileResult) message() string { return "CompileResult" }

// AppendBinary appends the message's bytes to b; see [Message].
func (m *CompileResult) AppendBinary(b []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return b, err
	}
	flags := byte(0)
	if m.UseLLVM {
		flags = compileUseLLVM
	}
	b = append(b, tagCompileResult)
	b = binary.LittleEndian.AppendUint32(b, m.Step)
	b = m.Stats.append(append(b, flags))
	b = binary.LittleEndian.AppendUint64(b, m.Total)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.PassTimings)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Files)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m.Decls)))
	b = append(b, m.PassTimings...)
	for _, name := range m.Files {
		b = append(append(b, name...), 0)
	}
	for i := range m.Decls {
		b = m.Decls[i].append(b)
	}
	return b, nil
}

func (s *Stats) append(b []byte) []byte {
	counts := [...]uint32{s.ReachableFiles, s.ImportedFiles, s.GenericInstances, s.InlineCalls}
	for _, n := range counts {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	times := [...]uint64{s.CPUParse, s.CPUAstGen, s.CPUSema, s.CPUCodegen, s.CPULink,
		s.Files, s.Decls, s.LLVMEmit, s.LinkFlush}
	for _, ns := range times {
		b = binary.LittleEndian.AppendUint64(b, ns)
	}
	return b
}

func (d *Decl) append(b []byte) []byte {
	b = append(append(b, d.Name...), 0)
	b = binary.LittleEndian.AppendUint32(b, d.File)
	b = binary.LittleEndian.AppendUint32(b, d.SemaCount)
	b = binary.LittleEndian.AppendUint64(b, d.Sema)
	b = binary.LittleEndian.AppendUint64(b, d.Codegen)
	return binary.LittleEndian.AppendUint64(b, d.Link)
}

func (m *CompileResult) check() error {
	switch {
	case uint64(len(m.PassTimings)) > math.MaxUint32:
		return refuse("CompileResult", "llvm_pass_timings_len", compileTimings,
			"%d bytes", len(m.PassTimings))
	case uint64(len(m.Files)) > math.MaxUint32:
		return refuse("CompileResult", "files_len", compileFiles, "%d files", len(m.Files))
	case uint64(len(m.Decls)) > math.MaxUint32:
		return refuse("CompileResult", "decls_len", compileDecls, "%d declarations", len(m.Decls))
	}
	at := compileSize + len(m.PassTimings)
	for _, name := range m.Files {
		if err := needNoNUL("CompileResult", "file_name", at, name); err != nil {
			return err
		}
		at += len(name) + 1
	}
	for i := range m.Decls {
		if err := needNoNUL("CompileResult", "decl_name", at, m.Decls[i].Name); err != nil {
			return err
		}
		at += len(m.Decls[i].Name) + 1 + declSize
	}
	return nil
}

func parseCompileResult(b []byte) (*CompileResult, error) {
	if err := needSize("CompileResult", b, compileSize); err != nil {
		return nil, err
	}
	if flags := b[compileFlags]; flags&^compileUseLLVM != 0 {
		return nil, refuse("CompileResult", "flags", compileFlags, "reserved bits in %#02x", flags)
	}
	m := &CompileResult{
		Step:    binary.LittleEndian.Uint32(b[stepIndex:]),
		UseLLVM: b[compileFlags]&compileUseLLVM != 0,
		Stats:   parseStats(b),
		Total:   binary.LittleEndian.Uint64(b[compileTotal:]),
	}
	if err := m.parseTables(b); err != nil {
		return nil, err
	}
	return m, nil
}

func parseStats(b []byte) Stats {
	c := cursor{"CompileResult", b, compileStats}
	return Stats{
		ReachableFiles: c.uint32(), ImportedFiles: c.uint32(),
		GenericInstances: c.uint32(), InlineCalls: c.uint32(),
		CPUParse: c.uint64(), CPUAstGen: c.uint64(), CPUSema: c.uint64(),
		CPUCodegen: c.uint64(), CPULink: c.uint64(),
		Files: c.uint64(), Decls: c.uint64(), LLVMEmit: c.uint64(), LinkFlush: c.uint64(),
	}
}

func (m *CompileResult) parseTables(b []byte) error {
	timings := uint64(binary.LittleEndian.Uint32(b[compileTimings:]))
	files := uint64(binary.LittleEndian.Uint32(b[compileFiles:]))
	decls := uint64(binary.LittleEndian.Uint32(b[compileDecls:]))
	// Checked before anything is allocated: each name takes a byte at least.
	if _, err := needRoom("CompileResult", b, compileSize,
		table{"llvm_pass_timings_len", compileTimings, timings}, table{"files_len", compileFiles, files},
		table{"decls_len", compileDecls, decls * (1 + declSize)}); err != nil {
		return err
	}
	c := cursor{"CompileResult", b, compileSize + int(timings)}
	m.PassTimings = string(b[compileSize:c.at])
	var err error
	m.Files = make([]string, files)
	for i := range m.Files {
		if m.Files[i], err = c.text("file_name"); err != nil {
			return err
		}
	}
	m.Decls = make([]Decl, decls)
	for i := range m.Decls {
		if m.Decls[i], err = c.decl(); err != nil {
			return err
		}
	}
	return needEnd("CompileResult", b, c.at)
}

func (c *cursor) decl() (Decl, error) {
	name, err := c.text("decl_name")
	if err != nil {
		return Decl{}, err
	}
	if err := c.need("decl", declSize); err != nil {
		return Decl{}, err
	}
	return Decl{
		Name: name, File: c.uint32(), SemaCount: c.uint32(),
		Sema: c.uint64(), Codegen: c.uint64(), Link: c.uint64(),
	}, nil
}
