package container

// mapExamples are those of the methods of Map.
var mapExamples = map[string]string{
	"->set":     `$m = Map("string", "number"); $m->set("a", 1); echo $m->get("a"); // 1`,
	"->has":     `$m = Map("string", "any"); $m->set("a", none); echo $m->has("a"); // true`,
	"->get":     `$m = Map("number", "string"); $m->set(25, "smtp"); echo $m->get(25) . ($m->get(26) ?? "?"); // smtp?`,
	"->delete":  `$m = Map("string", "number"); $m->set("a", 1); echo [$m->delete("a"), $m->delete("a")]; // [0=>true,1=>false]`,
	"->merge":   `$m = Map("string", "array"); $m->merge("a", [1]); $m->merge("a", [2]); echo $m->get("a"); // [0=>1,1=>2]`,
	"->size":    `$m = Map("string", "number"); $m->set("a", 1); $m->set("a", 2); echo $m->size(); // 1`,
	"->clear":   `$m = Map("string", "number"); $m->set("a", 1); $m->clear(); echo $m->size(); // 0`,
	"->entries": `$m = Map("string", "number"); $m->set("a", 1); foreach ($m->entries() as $k => $v) echo $k . $v; // a1`,
}

// setExamples are those of the methods of Set.
var setExamples = map[string]string{
	"->add":    `$s = Set("string"); echo [$s->add("a"), $s->add("a")]; // [0=>true,1=>false]`,
	"->has":    `$s = Set("number"); $s->add(25); echo $s->has(26); // false`,
	"->delete": `$s = Set("string"); $s->add("a"); echo $s->delete("a"); // true`,
	"->size":   `$s = Set("string"); $s->add("a"); $s->add("b"); echo $s->size(); // 2`,
	"->clear":  `$s = Set("string"); $s->add("a"); $s->clear(); echo $s->size(); // 0`,
	"->values": `$s = Set("string"); $s->add("b"); foreach ($s->values() as $v) echo $v; // b`,
}
