package smtpd

// Contents returns the files that scripts may import, by their ids. It reads
// those that stand on disk.
func (s *Scripting) Contents() (map[string][]byte, error) {
	contents := make(map[string][]byte, len(s.Files))
	for i := range s.Files {
		data, err := s.Files[i].read()
		if err != nil {
			return nil, err
		}
		contents[s.Files[i].ID] = data
	}
	return contents, nil
}
