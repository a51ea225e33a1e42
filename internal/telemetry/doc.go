// Package telemetry is where facts leave the process: events of the engine
// become log lines, counters become Prometheus metrics and process statistics,
// and the monitor endpoint says whether the process is ready and healthy.
//
// The packages below it know nothing of log lines. Each declares a struct of
// event functions; for each there is a function here that returns one which
// writes to a Log.
package telemetry
