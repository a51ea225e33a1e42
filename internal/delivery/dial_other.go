//go:build !linux

package delivery

import "errors"

// prepareSource refuses what only Linux has.
func prepareSource(_ int, s *Source) error {
	if s.NonLocal {
		return errors.New("delivery: non-local source addresses need Linux")
	}
	return nil
}
