package charset

// iconvExamples are those of the methods of Iconv.
var iconvExamples = map[string]string{
	"->convert": `$i = Iconv("UTF-8", "ISO-8859-1"); echo length($i->convert("grüß")); // 4`,
	"->errno":   `$i = Iconv("UTF-8", "US-ASCII"); $i->convert("ü"); echo $i->errno(); // 84`,
	"->close":   `$i = Iconv("UTF-8", "US-ASCII"); $i->close(); echo $i->convert("a") ?? "closed"; // closed`,
}
