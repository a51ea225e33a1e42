package coverage

import (
	"html/template"
	"io"
	"strings"
)

// HTML writes a page that needs no other file: a table of the files, and the text
// of each with the count of each line.
func (p *Profile) HTML(w io.Writer) error {
	data := pageData{Percent: p.Percent()}
	for i, f := range p.Files() {
		covered, total := f.Covered()
		data.Files = append(data.Files, pageFile{
			ID: i, Name: f.Name, Covered: covered, Total: total, Percent: percent(covered, total), Lines: f.listing(),
		})
	}
	return page.Execute(w, data)
}

type pageData struct {
	Percent float64
	Files   []pageFile
}

type pageFile struct {
	ID             int
	Name           string
	Covered, Total int
	Percent        float64
	Lines          []pageLine
}

// pageLine is one line of a listing; Class is "" for lines that do not count.
type pageLine struct {
	Number int
	Class  string
	Count  int64
	Text   string
}

// listing returns all lines of the file.
func (f *File) listing() []pageLine {
	var out []pageLine
	next := 0
	for i, text := range strings.Split(strings.TrimSuffix(f.Text, "\n"), "\n") {
		l := pageLine{Number: i + 1, Text: text}
		if next < len(f.Lines) && f.Lines[next].Number == l.Number {
			l.Count, l.Class = f.Lines[next].Count, f.Lines[next].class()
			next++
		}
		out = append(out, l)
	}
	return out
}

func (l *Line) class() string {
	switch {
	case l.Partly:
		return "partly"
	case l.Count == 0:
		return "missed"
	}
	return "run"
}

var page = template.Must(template.New("coverage").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coverage of scripts</title>
<style>
:root { color-scheme: light dark; --run: #d7f5dc; --partly: #fdf0c2; --missed: #fbdada; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --run: #16391f; --partly: #453a10; --missed: #4a1c1c; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; }
.files td, .files th { padding: .2rem 1rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line); }
.files .number { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 8rem; }
.text { font: 13px/1.45 ui-monospace, monospace; width: 100%; border: 1px solid var(--line); }
.text td { padding: 0 .7rem; white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top; }
.text .number { text-align: right; opacity: .65; width: 1%; white-space: pre; }
.run td { background: var(--run); } .partly td { background: var(--partly); } .missed td { background: var(--missed); }
.legend span { padding: .1rem .5rem; }
</style>
</head>
<body>
<h1>Coverage of scripts: {{printf "%.1f" .Percent}}%</h1>
<table class="files">
<tr><th>file</th><th></th><th class="number">run</th><th class="number">lines</th></tr>
{{range .Files}}<tr><td><a href="#f{{.ID}}">{{.Name}}</a></td><td><meter max="100" value="{{printf "%.1f" .Percent}}"></meter> {{printf "%.1f" .Percent}}%</td><td class="number">{{.Covered}}</td><td class="number">{{.Total}}</td></tr>
{{end}}</table>
<p class="legend"><span style="background:var(--run)">run</span> <span style="background:var(--partly)">run in part</span> <span style="background:var(--missed)">not run</span></p>
{{range .Files}}<h2 id="f{{.ID}}">{{.Name}}</h2>
<table class="text">
{{range .Lines}}<tr{{with .Class}} class="{{.}}"{{end}}><td class="number">{{.Number}}</td><td class="number">{{if .Class}}{{.Count}}×{{end}}</td><td>{{.Text}}</td></tr>
{{end}}</table>
{{end}}</body>
</html>
`))
