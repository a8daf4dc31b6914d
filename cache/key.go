package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// Key names one build step: the digest of everything that can change its result.
// The host computes it, usually with [NewKey]. Two steps with one key are the same step.
type Key [32]byte

// String returns the key as 64 hexadecimal digits.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey reads what [Key.String] wrote.
func ParseKey(s string) (Key, error) {
	b, err := parseHex("key", s)
	return Key(b), err
}

// Digest is the SHA-256 of a payload's content, or of an input: Digest(sha256.Sum256(content)).
type Digest [32]byte

// String returns the digest as 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads what [Digest.String] wrote.
func ParseDigest(s string) (Digest, error) {
	b, err := parseHex("digest", s)
	return Digest(b), err
}

func parseHex(what, s string) (sum [32]byte, err error) {
	if len(s) != hex.EncodedLen(len(sum)) {
		return sum, fmt.Errorf("cache: parse %s: %d characters, not 64", what, len(s))
	}
	if _, err := hex.Decode(sum[:], []byte(s)); err != nil {
		return [32]byte{}, fmt.Errorf("cache: parse %s: %w", what, err)
	}
	return sum, nil
}

// KeyBuilder hashes the fields of a step into a [Key] with SHA-256. Each field goes in with a tag
// of its kind and its length, so no two lists of fields hash alike: order counts ("-O0", "-O2" is
// not "-O2", "-O0"), and so does where one field ends ("ab", "c" is not "a", "bc"). It is not safe
// for concurrent use.
//
// Every method that adds a field changes the builder and returns the same one: to make two keys
// with a common beginning, start each with [NewKey].
type KeyBuilder struct {
	h hash.Hash
}

// Tags of the kinds of fields. They are part of every key: never change one.
const (
	tagDomain  = 'D'
	tagString  = 's'
	tagBytes   = 'b'
	tagDigest  = 'd'
	tagInt     = 'i'
	tagStrings = 'l'
	tagDigests = 'L'
)

// NewKey starts a key. The domain names the kind of step and the version of the host's own rules
// ("cc/1"): keys of two domains never meet.
func NewKey(domain string) *KeyBuilder {
	b := &KeyBuilder{h: sha256.New()}
	return b.field(tagDomain, []byte(domain))
}

// Strings adds a list of strings in order. The list is one field, so
// Strings("a").Strings("b") differs from Strings("a", "b").
func (b *KeyBuilder) Strings(list ...string) *KeyBuilder {
	b.header(tagStrings, len(list))
	for _, s := range list {
		b.field(tagString, []byte(s))
	}
	return b
}

// Bytes adds one opaque field.
func (b *KeyBuilder) Bytes(p []byte) *KeyBuilder { return b.field(tagBytes, p) }

// Digest adds the digest of one input.
func (b *KeyBuilder) Digest(d Digest) *KeyBuilder { return b.field(tagDigest, d[:]) }

// Digests adds a list of digests in order, as one field.
func (b *KeyBuilder) Digests(list ...Digest) *KeyBuilder {
	b.header(tagDigests, len(list))
	for i := range list {
		b.field(tagDigest, list[i][:])
	}
	return b
}

// Int adds a number.
func (b *KeyBuilder) Int(v int64) *KeyBuilder {
	return b.field(tagInt, binary.LittleEndian.AppendUint64(nil, uint64(v)))
}

// Sum returns the key of the fields added so far. More may be added afterwards.
func (b *KeyBuilder) Sum() (k Key) {
	b.h.Sum(k[:0])
	return k
}

func (b *KeyBuilder) field(tag byte, p []byte) *KeyBuilder {
	b.header(tag, len(p))
	b.h.Write(p)
	return b
}

func (b *KeyBuilder) header(tag byte, n int) {
	var head [9]byte
	head[0] = tag
	binary.LittleEndian.PutUint64(head[1:], uint64(n))
	b.h.Write(head[:])
}
