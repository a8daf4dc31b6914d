package vfs

// Product is product, for its limit that no disk at hand reaches.
var Product = product
