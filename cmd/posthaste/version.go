package main

import "github.com/posthaste-mta/posthaste/internal/daemon"

func version() string { return daemon.Version() }
