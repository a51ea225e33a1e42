package file

// examples are those of the methods of File.
var examples = map[string]string{
	"->close": `$f = File::String("text"); $f->close(); echo $f->read() ?? "closed"; // closed`,
	"->read":  `$f = File::String("one two"); echo $f->read(3) . "|" . $f->read(); // one| two`,
	"->readline": `$f = File::String("one\ntwo\n");
$lines = [];
while (($line = $f->readline()) !== false) $lines[] = $line;
echo $lines; // [0=>"one",1=>"two"]`,
	"->seek":    `$f = File::String("one two"); $f->seek(-3, "SEEK_END"); echo $f->read(); // two`,
	"->tell":    `$f = File::String("one two"); $f->read(4); echo $f->tell(); // 4`,
	"->getPath": `$f = File("a.txt"); echo $f->getPath(); // a.txt`,
	"::String":  `echo File::String("text")->read(); // text`,
	"::read":    `echo length(File::read("a.txt")); // 8`,
}
