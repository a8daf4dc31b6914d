//go:build !long

package ipc_test

const long = false
