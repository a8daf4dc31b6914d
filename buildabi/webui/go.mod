module github.com/larderbuild/larder/buildabi/webui

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/larderbuild/larder v0.0.0
)

replace github.com/larderbuild/larder => ../..
