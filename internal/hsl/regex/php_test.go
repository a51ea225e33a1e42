package regex

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// phpAsk matches and replaces all that it is given, without the just-in-time
// compiler, which differs in its limits.
const phpAsk = `
ini_set("pcre.jit", "0");
foreach (json_decode(stream_get_contents(STDIN)) as [$pattern, $replacement, $subjects]) {
	$all = [];
	foreach ($subjects as $subject) {
		$subject = base64_decode($subject);
		$count = @preg_match_all(base64_decode($pattern), $subject, $m, PREG_SET_ORDER | PREG_OFFSET_CAPTURE | PREG_UNMATCHED_AS_NULL);
		$offsets = [];
		if ($count !== false) foreach ($m as $set) {
			$caps = [];
			foreach ($set as $n => $group) if (is_int($n)) {
				$caps[] = $group[1];
				$caps[] = $group[1] < 0 ? -1 : $group[1] + strlen($group[0]);
			}
			$offsets[] = $caps;
		}
		$all[] = [$count === false, $offsets, base64_encode(@preg_replace(base64_decode($pattern), $replacement, $subject) ?? "")];
	}
	echo json_encode($all), "\n";
}`

// phpAnswer is [whether it failed, offsets of all matches, base64 of the result].
type phpAnswer struct {
	failed   bool
	matches  [][]int
	replaced string
}

func (a *phpAnswer) UnmarshalJSON(data []byte) error {
	var encoded string
	if err := json.Unmarshal(data, &[]any{&a.failed, &a.matches, &encoded}); err != nil {
		return err
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	a.replaced = string(text)
	return err
}

// php runs a PHP script with input and returns its output by lines.
func php(t *testing.T, script string, input any) []string {
	t.Helper()
	program := testenv.Program(t, "php")
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-d", "memory_limit=1G", "-r", script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("php: %v\n%s", err, tail(out))
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

const replacement = `<$0|$1|${1}0\$2>`

// TestAllMatchesByPHP compares how matches follow each other, and replacements,
// with preg_match_all and preg_replace. PHP's u goes by Unicode's properties.
func TestAllMatchesByPHP(t *testing.T) {
	for _, utf := range []bool{false, true} {
		g := &generator{Rand: rand.New(rand.NewPCG(7, 0)), utf: utf}
		count := 1500
		if raceEnabled {
			count = 200
		}
		questions := g.questions(count)
		for _, p := range []string{``, `a*`, `a*?`, `|a`, `\b`, `(?=a)|a`, `x*|b`, `(?<=a)`, `$|a`, `\G|a`, `a\K`, `(?=(b))`, `(a)|b`} {
			questions = append(questions, question{p, g.flags() &^ Extended, []string{"", "a", "baaab", "abab", "aé b\n"}})
		}
		var input []any
		for i, q := range questions {
			if utf {
				questions[i].flags |= Properties
			}
			letters := strings.NewReplacer("X", "").Replace(q.flags.String())
			var subjects []string
			for _, s := range q.subjects {
				subjects = append(subjects, base64.StdEncoding.EncodeToString([]byte(s)))
			}
			pattern := base64.StdEncoding.EncodeToString([]byte("~(*NO_AUTO_POSSESS)" + q.pattern + "~" + letters))
			input = append(input, []any{pattern, strings.ReplaceAll(replacement, `\$2`, `$2`), subjects})
		}
		compared := 0
		for i, line := range php(t, phpAsk, input) {
			var answers []phpAnswer
			if err := json.Unmarshal([]byte(line), &answers); err != nil {
				t.Fatalf("php: %v in %s", err, line)
			}
			for j, theirs := range answers {
				if compareAll(t, questions[i], questions[i].subjects[j], theirs) {
					compared++
				}
			}
		}
		t.Logf("utf8 %v: %d subjects compared", utf, compared)
		if compared < 3*count {
			t.Errorf("utf8 %v: only %d subjects could be compared", utf, compared)
		}
	}
}

// compareAll compares all matches of one pattern in one subject. It returns false
// where there is nothing to compare.
func compareAll(t *testing.T, q question, subject string, theirs phpAnswer) bool {
	re, err := Compile(q.pattern, q.flags)
	if err != nil || theirs.failed || calls.MatchString(q.pattern) {
		return false
	}
	var all [][]int
	m := re.Matches(nil, subject)
	for m.Next() {
		caps := append([]int(nil), m.Caps()...)
		all = append(all, caps)
	}
	if m.Err() != nil {
		return false
	}
	if ours, want := fmt.Sprint(all), fmt.Sprint(theirs.matches); ours != want {
		t.Errorf("/%s/%v with %q: matches %s, PHP finds %s", q.pattern, q.flags, subject, ours, want)
	}
	template := re.Template(strings.ReplaceAll(replacement, `\$2`, `$2`))
	replaced, err := re.Replace(nil, subject, 0, func(dst []byte, caps []int) ([]byte, error) {
		return template.Append(dst, subject, caps), nil
	})
	if err != nil || replaced != theirs.replaced {
		t.Errorf("/%s/%v with %q: %q (%v), PHP makes it %q", q.pattern, q.flags, subject, replaced, err, theirs.replaced)
	}
	return true
}

// phpProperties lists the spans of all characters that have each property, and
// those that PCRE2's tables do not assign at all.
const phpProperties = `
$all = "";
for ($c = 0; $c <= 0x10ffff; $c++) if ($c < 0xd800 || $c > 0xdfff) $all .= iconv("UCS-4BE", "UTF-8", pack("N", $c));
$code = fn($s) => unpack("N", iconv("UTF-8", "UCS-4BE", $s))[1];
foreach (json_decode(stream_get_contents(STDIN)) as $class) {
	preg_match_all("~[$class]+~u", $all, $m);
	$spans = [];
	foreach ($m[0] as $run) {
		preg_match("~.$~us", $run, $last);
		preg_match("~.~us", $run, $first);
		$spans[] = [$code($first[0]), $code($last[0])];
	}
	echo json_encode($spans), "\n";
}`

// TestPropertiesByPHP compares the characters of properties and POSIX classes.
// Characters that only one of the two versions of Unicode knows are left out.
func TestPropertiesByPHP(t *testing.T) {
	names := []string{
		`\p{Cn}`, `\p{L}`, `\p{Lu}`, `\p{Ll}`, `\p{Lt}`, `\p{L&}`, `\p{M}`, `\p{Nd}`, `\p{N}`, `\p{P}`, `\p{S}`, `\p{Z}`, `\p{C}`, `\p{Cf}`,
		`\p{Xan}`, `\p{Xsp}`, `\p{Xwd}`, `\p{Xuc}`, `\d`, `\s`, `\w`, `\h`, `\v`,
		`[:alpha:]`, `[:lower:]`, `[:upper:]`, `[:alnum:]`, `[:space:]`, `[:blank:]`, `[:cntrl:]`, `[:graph:]`, `[:print:]`, `[:punct:]`, `[:word:]`, `[:xdigit:]`,
		`\p{Latin}`, `\p{Greek}`, `\p{Cyrillic}`, `\p{Common}`, `\p{Inherited}`, `\p{Han}`, `\p{Yi}`, `\p{Arab}`, `\p{sc:Arabic}`, `\p{scx:Deva}`, `\p{Unknown}`,
		`\p{Alphabetic}`, `\p{Lowercase}`, `\p{Uppercase}`, `\p{Cased}`, `\p{Math}`, `\p{ID_Start}`, `\p{IDC}`, `\p{Grapheme_Extend}`, `\p{White_Space}`, `\p{Dash}`, `\p{Hex}`,
		`\p{Emoji}`, `\p{Emoji_Presentation}`, `\p{Extended_Pictographic}`, `\p{RI}`, `\p{Ideographic}`, `\p{Quotation_Mark}`, `\p{STerm}`,
	}
	var theirs []class
	for _, line := range php(t, phpProperties, names) {
		var spans [][2]rune
		if err := json.Unmarshal([]byte(line), &spans); err != nil {
			t.Fatalf("php: %v in %s", err, line)
		}
		var c class
		for _, s := range spans {
			c = c.with(s[0], s[1])
		}
		theirs = append(theirs, c.normalised())
	}
	apart := union(theirs[0], category("Cn"), class{{0xD800, 0xDFFF}})
	// Letters that became, or ceased to be, alphabetic or lower case in Unicode 15.
	apart = union(apart, class{{0xC04, 0xC04}, {0xF82, 0xF83}, {0x10FC, 0x10FC}, {0xA7F2, 0xA7F4}, {0xAB69, 0xAB69}, {0x11080, 0x11081}})
	for i, name := range names[1:] {
		tree, err := parse("["+name+"]", UTF8|Properties)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ours := tree.root.(chars).class.without(apart)
		if more, less := ours.without(theirs[i+1]), theirs[i+1].without(apart).without(ours); len(more)+len(less) > 0 {
			t.Errorf("%s: we have %x more and %x less than PCRE2", name, more, less)
		}
	}
}
