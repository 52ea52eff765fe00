module bootimg.test/pause

go 1.24
