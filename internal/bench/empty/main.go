// Command empty does nothing: what any process costs.
package main

func main() {}
