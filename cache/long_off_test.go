//go:build !long

package cache

const killRounds = 20
