package ctl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func hslCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "hsl", Short: "Look into what scripts share"}
	memory := &cobra.Command{Use: "memory", Short: "Look into shared memory, or change it"}
	memory.AddCommand(memoryListCommand(s), memoryFetchCommand(s), memoryStoreCommand(s), memoryDeleteCommand(s))
	cache := &cobra.Command{Use: "cache", Short: "Look into the cache of calls, or clear it"}
	cache.AddCommand(cacheListCommand(s), cacheClearCommand(s))
	c.AddCommand(memory, cache)
	return c
}

func memoryListCommand(s *session) *cobra.Command {
	request := &pb.HSLMemoryListRequest{}
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is in shared memory",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.memoryList(c, request) },
	}
	c.Flags().StringVar(&request.Prefix, "prefix", "", "only keys that begin with `TEXT`")
	return c
}

func (s *session) memoryList(c *cobra.Command, request *pb.HSLMemoryListRequest) error {
	if done, err := s.asJSON(c, "y", pb.HSLServiceMemoryListProcedure, request); done {
		return err
	}
	hsl, err := client(s, pb.NewHSLServiceClient)
	if err != nil {
		return err
	}
	stream, err := hsl.MemoryList(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	p := newPrinter(c.OutOrStdout(), heading{"key", false}, heading{"type", false}, heading{"size", true}, heading{"value", false})
	for err == nil && stream.Receive() {
		for _, e := range stream.Msg().Entries {
			if s.json {
				err = cmp.Or(err, writeJSON(c.OutOrStdout(), memoryRow(e)))
			} else {
				err = cmp.Or(err, p.row(printable(e.Key), e.Type, strconv.FormatUint(e.Size, 10), printable(e.Value)))
			}
		}
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err, p.draw())
}

func memoryRow(e *pb.HSLMemoryEntry) any {
	return struct {
		Key   string          `json:"key"`
		Type  string          `json:"type"`
		Size  uint64          `json:"size"`
		Value json.RawMessage `json:"value"`
	}{e.Key, e.Type, e.Size, json.RawMessage(e.Value)}
}

func memoryFetchCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "fetch KEY",
		Short: "Print a value of shared memory as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.HSLMemoryFetchRequest{Key: args[0]}
			if done, err := s.asJSON(c, "", pb.HSLServiceMemoryFetchProcedure, request); done {
				return err
			}
			hsl, err := client(s, pb.NewHSLServiceClient)
			if err != nil {
				return err
			}
			answer, err := hsl.MemoryFetch(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			if s.json {
				return writeJSON(c.OutOrStdout(), memoryRow(answer.Msg))
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), printable(answer.Msg.Value))
			return err
		},
	}
}

func memoryStoreCommand(s *session) *cobra.Command {
	var parsed bool
	c := &cobra.Command{
		Use:   "store KEY VALUE",
		Short: "Store a value in shared memory",
		Long: "Stores a value in shared memory, in place of one that is there. The value is a string, or,\n" +
			"with --parse, what JSON says: a number, a list, an object.",
		Example: "  ctl hsl memory store maintenance on\n  ctl hsl memory store --parse limits '{\"example.com\": 10}'",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			text := args[1]
			if !parsed {
				quoted, err := json.Marshal(text)
				if err != nil {
					return usage("value: %w", err)
				}
				text = string(quoted)
			}
			return s.memoryStore(c, &pb.HSLMemoryStoreRequest{Key: args[0], Value: text})
		},
	}
	c.Flags().BoolVar(&parsed, "parse", false, "the value is JSON")
	return c
}

func (s *session) memoryStore(c *cobra.Command, request *pb.HSLMemoryStoreRequest) error {
	if done, err := s.asJSON(c, "z", pb.HSLServiceMemoryStoreProcedure, request); done {
		return err
	}
	hsl, err := client(s, pb.NewHSLServiceClient)
	if err != nil {
		return err
	}
	answer, err := hsl.MemoryStore(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]bool{"replaced": answer.Msg.Replaced})
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), "OK")
	return err
}

func memoryDeleteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "delete KEY",
		Short: "Remove a key from shared memory",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.HSLMemoryDeleteRequest{Key: args[0]}
			if done, err := s.asJSON(c, "A", pb.HSLServiceMemoryDeleteProcedure, request); done {
				return err
			}
			hsl, err := client(s, pb.NewHSLServiceClient)
			if err != nil {
				return err
			}
			answer, err := hsl.MemoryDelete(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			if s.json {
				return writeJSON(c.OutOrStdout(), map[string]bool{"deleted": answer.Msg.Deleted})
			}
			if !answer.Msg.Deleted {
				return fmt.Errorf("nothing is stored under %q", args[0])
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "OK")
			return err
		},
	}
}

func cacheListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the caches of calls, with what they did",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.cacheList(c) },
	}
}

func (s *session) cacheList(c *cobra.Command) error {
	request := &pb.HSLCacheListRequest{}
	if done, err := s.asJSON(c, "g", pb.HSLServiceCacheListProcedure, request); done {
		return err
	}
	hsl, err := client(s, pb.NewHSLServiceClient)
	if err != nil {
		return err
	}
	answer, err := hsl.CacheList(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	p := newPrinter(c.OutOrStdout(), heading{"Namespace", false}, heading{"Function", false}, heading{"Max size", true}, heading{"Size", true},
		heading{"Hits", true}, heading{"Misses", true}, heading{"Evicts", true}, heading{"Waits", true}, heading{"Hit rate", true})
	for _, t := range answer.Msg.Caches {
		if s.json {
			err = cmp.Or(err, writeJSON(c.OutOrStdout(), cacheRow(t)))
			continue
		}
		number := func(n uint64) string { return strconv.FormatUint(n, 10) }
		err = cmp.Or(err, p.row(printable(t.Namespace), printable(t.Function), number(t.MaxSize), number(t.Size),
			number(t.Hits), number(t.Misses), number(t.Evicts), number(t.Waits), fmt.Sprintf("%.0f%%", 100*hitRate(t))))
	}
	return cmp.Or(err, p.draw())
}

func hitRate(t *pb.HSLCache) float64 {
	return float64(t.Hits) / float64(max(t.Hits+t.Misses, 1))
}

func cacheRow(t *pb.HSLCache) any {
	return struct {
		Namespace string  `json:"namespace"`
		Function  string  `json:"function"`
		MaxSize   uint64  `json:"maxsize"`
		Size      uint64  `json:"size"`
		Hits      uint64  `json:"hits"`
		Misses    uint64  `json:"misses"`
		Evicts    uint64  `json:"evicts"`
		Waits     uint64  `json:"waits"`
		HitRate   float64 `json:"hitrate"`
	}{t.Namespace, t.Function, t.MaxSize, t.Size, t.Hits, t.Misses, t.Evicts, t.Waits, hitRate(t)}
}

func cacheClearCommand(s *session) *cobra.Command {
	var namespace, function string
	c := &cobra.Command{
		Use:   "clear",
		Short: "Forget cached calls",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVar(&namespace, "namespace", "", "only those in the namespace `NAME`")
	c.Flags().StringVar(&function, "function", "", "only those of the function `NAME`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request := &pb.HSLCacheClearRequest{}
		if c.Flags().Changed("namespace") {
			request.Namespace = &namespace
		}
		if c.Flags().Changed("function") {
			request.Function = &function
		}
		return s.cacheClear(c, request)
	}
	return c
}

func (s *session) cacheClear(c *cobra.Command, request *pb.HSLCacheClearRequest) error {
	if done, err := s.asJSON(c, "h", pb.HSLServiceCacheClearProcedure, request); done {
		return err
	}
	hsl, err := client(s, pb.NewHSLServiceClient)
	if err != nil {
		return err
	}
	answer, err := hsl.CacheClear(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]uint64{"cleared": answer.Msg.Cleared})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s forgotten\n", plural(answer.Msg.Cleared, "call"))
	return err
}
