// Package smtp knows how SMTP and LMTP look on the wire: commands and their
// parameters, replies and their codes, lines, and the transparency of message
// text (RFC 5321, RFC 2033, RFC 3030). It opens no sockets and keeps no
// conversation; the server side is package session, the client side package
// delivery.
//
// What comes in is read through a Reader, which takes its buffers from a pool
// and gives them back while there is nothing to read, so that a connection that
// waits costs little. SplitCommand and the Parse functions make typed commands
// of lines; what they refuse comes back as a *SyntaxError, which knows the reply
// that the line deserves. A Decoder turns the text after DATA, or the chunks
// after BDAT, into message bytes, and a DotWriter does the reverse.
//
// Only CRLF ends a line of text, and only CRLF "." CRLF ends a text. What a
// Decoder does with a bare CR or LF is a setting, but none of the choices makes
// it end anything, so that this end and the next always agree where a message
// stops.
package smtp

// Limits in octets with their line ends (RFC 5321 §4.5.3.1). The extensions add
// room to the commands that carry their parameters.
const (
	// MaxCommand is RFC 5321 §4.5.3.1.4.
	MaxCommand = 512
	// MaxMail adds SIZE (RFC 1870: 26), BODY (RFC 6152, RFC 3030: 17), DSN (RFC
	// 3461: 118), AUTH (RFC 4954: 500), SMTPUTF8 (RFC 6531: 10), REQUIRETLS
	// (RFC 8689: 11), and leaves a little for what scripts announce.
	MaxMail = MaxCommand + 26 + 17 + 118 + 500 + 10 + 11 + 100
	// MaxRcpt adds NOTIFY (28) and ORCPT (500) of DSN, and the same for scripts.
	MaxRcpt = MaxCommand + 528 + 100
	// MaxAuth is the longest AUTH command or answer to a challenge (RFC 4954
	// §4).
	MaxAuth = 12288
	// MaxReply is what is read of one line of a reply. RFC 5321 §4.5.3.1.5
	// says 512; some say more.
	MaxReply = 2048
	// maxReplyLines bounds what a peer can make us keep.
	maxReplyLines = 200
)
