package config

// Optional is a setting whose absence means something: "as inherited", "off" or
// "as the system has it". A setting that is not Optional holds the default of
// its schema when the file does not give it.
type Optional[T any] struct {
	Value T
	Set   bool // the file gave the value
}

// Some returns an Optional that is set to v.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Set: true} }

// Or returns the value, or fallback when none was given.
func (o Optional[T]) Or(fallback T) T {
	if o.Set {
		return o.Value
	}
	return fallback
}

// target marks o as set and returns where its value goes.
func (o *Optional[T]) target() any {
	o.Set = true
	return &o.Value
}

// optional is any *Optional.
type optional interface{ target() any }
