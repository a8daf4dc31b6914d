//go:build !linux

package vfs

const noAtime = 0
