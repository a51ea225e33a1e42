package bounce

// Class says what the answer of a server means. The names are those that other
// classifiers of bounces use (spec operations.md 15), with some of our own for what
// these leave out. The zero value is Unknown.
type Class uint8

// The classes.
const (
	Unknown Class = iota
	RecipientNotFound
	RecipientError
	MailboxFull
	MailboxDisabled
	BlockList
	Blocked
	IPReputation
	DomainReputation
	MessageContent
	Virus
	MessageSize
	DKIM
	DMARC
	SPF
	Authentication
	DNSPTR
	TLS
	Graylisting
	RateLimit
	Policy
	RelayDenied
	SenderError
	DNSError
	NetworkError
	MXError
	ProtocolError
	Loop
	Expired
	TemporaryError
	classes
)

// about is what is known of a class.
type about struct {
	name     string
	category string // coarse
	severity int    // 0 nothing is wrong with us, 6 worst
	scope    string // what else is likely to be answered so
	retry    bool   // trying again may help although the answer was permanent
	help     string
}

var table = [classes]about{
	Unknown:           {"UNKNOWN", "unknown", 0, "", false, "nothing in the answer says why"},
	RecipientNotFound: {"RECIPIENT_NOT_FOUND", "invalid-recipient", 1, "address", false, "there is no such mailbox"},
	RecipientError:    {"RECIPIENT_ERROR", "recipient", 2, "job+grouping", false, "the recipient does not take this mail"},
	MailboxFull:       {"MAILBOX_FULL", "mailbox-full", 2, "address", false, "the mailbox is over its quota"},
	MailboxDisabled:   {"MAILBOX_DISABLED", "inactive", 2, "address", false, "the mailbox exists and is closed, suspended or unused"},
	BlockList:         {"BLOCK_LIST", "reputation", 5, "tenant", false, "we stand on a list of blocked senders"},
	Blocked:           {"BLOCKED", "spam-block", 3, "tenant+grouping", false, "the server blocks us and does not say why"},
	IPReputation:      {"IP_REPUTATION", "reputation", 4, "localip+grouping", false, "our address has a bad name"},
	DomainReputation:  {"DOMAIN_REPUTATION", "reputation", 4, "tenant+grouping", false, "our domain, or one in the message, has a bad name"},
	MessageContent:    {"MESSAGE_CONTENT", "spam-block", 3, "job", false, "the content looks like spam or phishing"},
	Virus:             {"VIRUS", "content", 6, "job", false, "the content is, or looks like, malware"},
	MessageSize:       {"MESSAGE_SIZE", "content", 2, "job", false, "the message is too large"},
	DKIM:              {"DKIM", "authentication", 3, "tenant", false, "the DKIM signature is missing or wrong"},
	DMARC:             {"DMARC", "authentication", 3, "tenant", false, "the policy of the author's domain says to refuse"},
	SPF:               {"SPF", "authentication", 3, "tenant", false, "SPF does not let our address send for the domain"},
	Authentication:    {"AUTHENTICATION", "authentication", 3, "tenant", false, "the message is not authenticated in some other way"},
	DNSPTR:            {"DNS_PTR", "dns", 3, "localip", false, "our address or HELO name has no fitting name in DNS"},
	TLS:               {"TLS", "protocol", 3, "remotemx", false, "the connection could not be encrypted as it must be"},
	Graylisting:       {"GRAYLISTING", "rate-limited", 3, "address", true, "the first attempt is always put off"},
	RateLimit:         {"RATE_LIMIT", "rate-limited", 3, "grouping", true, "too many connections, messages or recipients"},
	Policy:            {"POLICY", "policy", 3, "tenant+grouping", false, "a rule of the recipient's organisation"},
	RelayDenied:       {"RELAY_DENIED", "policy", 2, "recipientdomain", false, "the server does not take mail for that domain from us"},
	SenderError:       {"SENDER_ERROR", "policy", 3, "tenant", false, "the sender's address is refused"},
	DNSError:          {"DNS_ERROR", "dns", 2, "recipientdomain", false, "the domain of the recipient does not exist or takes no mail"},
	NetworkError:      {"NETWORK_ERROR", "network", 3, "remotemx", true, "the server could not be reached"},
	MXError:           {"MX_ERROR", "network", 3, "remotemx", true, "the server has trouble of its own"},
	ProtocolError:     {"PROTOCOL_ERROR", "protocol", 3, "remotemx", false, "the two servers did not understand each other"},
	Loop:              {"LOOP", "policy", 2, "recipientdomain", false, "the message went round in circles"},
	Expired:           {"EXPIRED", "expired", 1, "address", false, "the message was given up after too long a time"},
	TemporaryError:    {"TEMPORARY_ERROR", "temporary", 1, "", true, "it may work later"},
}

// String returns the name of the class, such as RECIPIENT_NOT_FOUND.
func (c Class) String() string { return table[c].name }

// Category returns the coarse kind of the class, such as invalid-recipient.
func (c Class) Category() string { return table[c].category }

// Severity says how bad the class is for a sender, from 0 to 6.
func (c Class) Severity() int { return table[c].severity }

// Scope names, joined by +, what the next message must have in common with this
// one to be answered alike, in the words of policies; "" when nothing follows.
func (c Class) Scope() string { return table[c].scope }

// Help says in a few words what the class means.
func (c Class) Help() string { return table[c].help }

// Classes returns all classes.
func Classes() []Class {
	all := make([]Class, classes)
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// ParseClass returns the class of a name; ok is false if there is none.
func ParseClass(name string) (c Class, ok bool) {
	for i, a := range table {
		if a.name == name {
			return Class(i), true
		}
	}
	return Unknown, false
}
