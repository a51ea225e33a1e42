package control

// Provide says what is controlled, for a server whose socket had to be opened
// before the parts could be made. Call it before Start.
func (s *Server) Provide(p Parts) {
	s.o.Parts = p
	s.services = newServices(&s.o.Parts)
	s.frames.services = s.services
	s.http.Handler = s.services.mux(s.frames.audit)
}
