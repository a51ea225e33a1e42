package extra

import (
	"net"
	"os"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func envLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("getenv(string name) string or none",
			"Returns a variable of the environment of the process, or none if it is not set.",
			`echo getenv("NO_SUCH_VARIABLE") ?? "not set"; // not set`, getenv),
	})
}

func getenv(c *value.Call) (value.Value, error) {
	if v, ok := os.LookupEnv(c.Str(0)); ok {
		return declare.Text(c, v)
	}
	return value.None, nil
}

func interfacesLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("interfaces() array",
			"Returns the network interfaces of the host, a list of arrays with their name.",
			`echo is_string(interfaces()[0]["name"]); // true`, interfaces),
		declare.Function("local_ips([string interface]) array",
			"Returns the addresses of an interface, or of all, a list of arrays with the address. Those of the loopback interface and "+
				"link-local ones are left out unless the interface is named.",
			`echo is_array(local_ips()); // true`, localIPs),
	})
}

func interfaces(c *value.Call) (value.Value, error) {
	all, err := net.Interfaces()
	if err != nil {
		return value.None, err
	}
	list := value.NewArray(len(all))
	for _, i := range all {
		list.Push(value.FromArray(value.Map("name", value.String(i.Name))))
	}
	return declare.Array(c, list)
}

func localIPs(c *value.Call) (value.Value, error) {
	all, err := net.Interfaces()
	if err != nil {
		return value.None, err
	}
	list := value.NewArray(0)
	for _, i := range all {
		named := c.Has(0)
		if named && i.Name != c.Str(0) || !named && i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			return value.None, err
		}
		for _, a := range addresses {
			if ip, ok := a.(*net.IPNet); ok && (named || !ip.IP.IsLinkLocalUnicast()) {
				list.Push(value.FromArray(value.Map("address", value.String(ip.IP.String()))))
			}
		}
	}
	return declare.Array(c, list)
}
