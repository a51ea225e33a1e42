package regex

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// ofTables returns the characters of Unicode tables.
func ofTables(tables ...*unicode.RangeTable) class {
	var c class
	for _, t := range tables {
		for _, r := range t.R16 {
			c = c.withStride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			c = c.withStride(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return c.normalised()
}

func (c class) withStride(lo, hi, stride rune) class {
	if stride == 1 {
		return c.with(lo, hi)
	}
	for r := lo; r <= hi; r += stride {
		c = c.with(r, r)
	}
	return c
}

// category returns a general category, or several.
func category(names ...string) class {
	var tables []*unicode.RangeTable
	for _, name := range names {
		tables = append(tables, unicode.Categories[name])
	}
	return ofTables(tables...)
}

// The classes that \d, \s and \w, and names of groups, have by Unicode's
// properties.
var (
	decimalNumbers = sync.OnceValue(func() class { return category("Nd") })
	unicodeSpaces  = sync.OnceValue(func() class { return union(category("Z"), horizontal, vertical) })
	alphanumerics  = sync.OnceValue(func() class { return category("L", "N") })
	unicodeWords   = sync.OnceValue(func() class { return union(alphanumerics(), one('_')) })
	unicodeNames   = sync.OnceValue(func() class { return union(category("L", "Nd"), one('_')) })
	graphical      = sync.OnceValue(func() class {
		invisible := class{{0x61C, 0x61C}, {0x180E, 0x180E}, {0x2066, 0x2069}}
		return category("L", "M", "N", "P", "S", "Cf").without(invisible)
	})
)

// posixProperties are the POSIX names that change their meaning when classes go
// by Unicode's properties.
var posixProperties = map[string]func(caseless bool) class{
	"alnum": func(bool) class { return alphanumerics() },
	"alpha": func(bool) class { return category("L") },
	"blank": func(bool) class { return horizontal },
	"cntrl": func(bool) class { return category("Cc") },
	"digit": func(bool) class { return decimalNumbers() },
	"graph": func(bool) class { return graphical() },
	"lower": func(caseless bool) class { return cased(caseless, "Ll") },
	"print": func(bool) class { return union(graphical(), category("Zs"), one(0x180E)) },
	"punct": func(bool) class { return union(category("P"), category("S").upTo(0x7F)) },
	"space": func(bool) class { return unicodeSpaces() },
	"upper": func(caseless bool) class { return cased(caseless, "Lu") },
	"word":  func(bool) class { return unicodeWords() },
}

func cased(caseless bool, name string) class {
	if caseless {
		return category("LC")
	}
	return category(name)
}

// loose is a property's name as it is compared: without case, spaces, hyphens
// and underscores.
func loose(name string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "", "\t", "").Replace(name))
}

// findProperty returns the characters of a property as \p{name} gives it, or the
// reason why it has none.
func findProperty(name string) (c class, reason string) {
	key := loose(name)
	if kind, script, ok := cutAny(key, "=:"); ok {
		switch kind {
		case "sc", "script":
			c, ok = scripts(script, false)
		case "scx", "scriptextensions":
			c, ok = scripts(script, true)
		case "bc", "bidiclass":
			return nil, "bidirectional classes are not supported"
		default:
			ok = false
		}
		if !ok {
			return nil, fmt.Sprintf("unknown property %s", name)
		}
		return c, ""
	}
	if find, ok := propertyIndex()[key]; ok {
		return find(), ""
	}
	if c, ok := scripts(key, true); ok {
		return c, ""
	}
	return nil, fmt.Sprintf("unknown property %s", name)
}

func cutAny(s, seps string) (before, after string, found bool) {
	if i := strings.IndexAny(s, seps); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// scripts returns the characters of a script; with extensions those too that
// several scripts share and this is one of.
func scripts(key string, extensions bool) (class, bool) {
	if full, ok := scriptCodes[key]; ok {
		key = full
	}
	if key == "unknown" {
		all := make([]*unicode.RangeTable, 0, len(unicode.Scripts))
		for _, table := range unicode.Scripts {
			all = append(all, table)
		}
		return ofTables(all...).negated(maxRune), true
	}
	table := scriptIndex()[key]
	if table == nil {
		return nil, false
	}
	c := ofTables(table)
	if !extensions {
		return c, true
	}
	return union(c, scriptExtensions[key]), true
}

var scriptIndex = sync.OnceValue(func() map[string]*unicode.RangeTable {
	index := map[string]*unicode.RangeTable{}
	for name, table := range unicode.Scripts {
		index[loose(name)] = table
	}
	return index
})

// propertyIndex has all properties but scripts by their loose names.
var propertyIndex = sync.OnceValue(func() map[string]func() class {
	index := map[string]func() class{}
	for name, table := range unicode.Categories {
		index[loose(name)] = func() class { return ofTables(table) }
	}
	for name, table := range unicode.Properties {
		if !strings.HasPrefix(name, "Other_") {
			index[loose(name)] = func() class { return ofTables(table) }
		}
	}
	for name, c := range emojiProperties {
		index[name] = func() class { return slices.Clone(c) }
	}
	for name, find := range derived {
		index[name] = find
	}
	for short, full := range propertyCodes {
		index[short] = index[full]
	}
	return index
})

// properties returns named tables of package unicode.
func properties(names ...string) class {
	var tables []*unicode.RangeTable
	for _, name := range names {
		tables = append(tables, unicode.Properties[name])
	}
	return ofTables(tables...)
}

// derived are the properties that Unicode defines by others
// (DerivedCoreProperties.txt), and the ones that PCRE adds.
var derived = map[string]func() class{
	"any":   func() class { return class{{0, maxRune}} },
	"ascii": func() class { return class{{0, 0x7F}} },
	"l&":    func() class { return category("LC") },
	"xan":   func() class { return alphanumerics() },
	"xps":   func() class { return unicodeSpaces() },
	"xsp":   func() class { return unicodeSpaces() },
	"xwd":   func() class { return unicodeWords() },
	"xuc": func() class {
		return class{{'$', '$'}, {'@', '@'}, {'`', '`'}, {0xA0, 0xD7FF}, {0xE000, maxRune}}
	},
	"alphabetic": func() class { return union(category("L", "Nl"), properties("Other_Alphabetic")) },
	"lowercase":  lowercase,
	"uppercase":  uppercase,
	"cased":      func() class { return union(lowercase(), uppercase(), category("Lt")) },
	"math":       func() class { return union(category("Sm"), properties("Other_Math")) },
	"graphemeextend": func() class {
		return union(category("Me", "Mn"), properties("Other_Grapheme_Extend"))
	},
	"idstart": func() class {
		return union(category("L", "Nl"), properties("Other_ID_Start")).
			without(properties("Pattern_Syntax", "Pattern_White_Space"))
	},
	"idcontinue": func() class {
		return union(category("L", "Nl", "Mn", "Mc", "Nd", "Pc"), properties("Other_ID_Start", "Other_ID_Continue")).
			without(properties("Pattern_Syntax", "Pattern_White_Space"))
	},
}

func lowercase() class { return union(category("Ll"), properties("Other_Lowercase")) }
func uppercase() class { return union(category("Lu"), properties("Other_Uppercase")) }

// propertyCodes are short names of properties.
var propertyCodes = map[string]string{
	"ahex": "asciihexdigit", "alpha": "alphabetic", "bidic": "bidicontrol", "dep": "deprecated",
	"dia": "diacritic", "ebase": "emojimodifierbase", "ecomp": "emojicomponent", "emod": "emojimodifier",
	"epres": "emojipresentation", "ext": "extender", "extpict": "extendedpictographic",
	"grext": "graphemeextend", "hex": "hexdigit", "idc": "idcontinue", "ideo": "ideographic",
	"ids": "idstart", "idsb": "idsbinaryoperator", "idst": "idstrinaryoperator", "joinc": "joincontrol",
	"loe": "logicalorderexception", "lower": "lowercase", "nchar": "noncharactercodepoint",
	"patsyn": "patternsyntax", "patws": "patternwhitespace", "pcm": "prependedconcatenationmark",
	"qmark": "quotationmark", "ri": "regionalindicator", "sd": "softdotted", "sterm": "sentenceterminal",
	"space": "whitespace", "wspace": "whitespace", "term": "terminalpunctuation",
	"uideo": "unifiedideograph", "upper": "uppercase", "vs": "variationselector",
}
