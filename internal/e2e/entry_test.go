package e2e

// entry is one recipient in the queue, as `ctl --json queue list` shows it.
type entry struct {
	ID          string  `json:"id"`
	QueueID     int     `json:"queueid"`
	State       string  `json:"state"`
	Hold        bool    `json:"hold"`
	Sender      string  `json:"sender"`
	Recipient   string  `json:"recipient"`
	RetryCount  int     `json:"retrycount"`
	RetryReason string  `json:"retryreason"`
	RetryTS     float64 `json:"retryts"`
	Transport   string  `json:"transportid"`
	Size        int64   `json:"size"`
}
