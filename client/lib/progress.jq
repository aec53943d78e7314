# SPDX-License-Identifier: Apache-2.0
# Draws the progress of an operation: documents in, one for each change;
# what to write to the terminal out.
#
# On a terminal ($rows and $columns are not 0) the lines of all descriptors
# are drawn again in place, or of as many that are not done as there is room
# for; else one line is written when the state of a descriptor changes.
# Nothing that the daemon says reaches the terminal raw.

def plain: tostring | gsub("[\\x{00}-\\x{1f}\\x{7f}-\\x{9f}]"; "?");

def bytes:
	if . < 1000 then "\(. | floor) B"
	else [., -1] | until(.[0] < 1000; [.[0] / 1000, .[1] + 1]) |
		"\((.[0] * 10 | round) / 10) \(["kB", "MB", "GB", "TB", "PB",
		"EB"][.[1]])"
	end;

def pad($n): . + (($n - length) as $missing |
	if $missing > 0 then " " * $missing else "" end);

def bar($done; $total; $width):
	(if $total > 0 then [$done / $total * $width | floor, $width] | min
	else 0 end) as $full |
	"[" + ("=" * $full // "") + (" " * ($width - $full) // "") + "]";

def name: ((.kind // "item") | plain | pad(8)) + " " +
	((.digest // .ref // "") | plain | .[0:19] | pad(19));

# The state in words; $rate in bytes a second, or null. The bar has what the
# words leave of the line.
def words($rate):
	(.state // "" | plain) as $state |
	if .total != null and .offset != null and .total > 0 and
	    .offset < .total and .offset > 0 then
		("\(.offset | bytes) of \(.total | bytes)" +
		(if $rate then ", \($rate | bytes)/s" else "" end)) as $said |
		([$columns - 46 - ($said | length), 20] | min) as $width |
		"\($state | pad(12)) " + (if $width > 3 then
			bar(.offset; .total; $width) + " " else "" end) + $said
	else
		($state | pad(12)) +
		(if .total then " \(.total | bytes)" else "" end)
	end;

def key: .digest // .kind // "" | tostring;

foreach inputs as $operation (
	{seen: {}, drawn: 0, out: ""};
	now as $now |
	.seen as $before |
	[($operation.progress // [])[] |
		. as $item |
		($before[$item | key] // null) as $old |
		(if $old and $item.offset != null and $old.offset != null and
		    $item.offset > $old.offset then
			($item.offset - $old.start) /
			    ([$now - $old.since, 0.001] | max)
		else $old.rate? // null end) as $rate |
		{key: ($item | key), item: $item, rate: $rate,
		 changed: ($old == null or $old.state != $item.state),
		 seen: {state: $item.state, offset: $item.offset, rate: $rate,
			since: (if $old then $old.since else $now end),
			start: (if $old then $old.start
				else $item.offset // 0 end)}}
	] as $lines |
	.seen = ($lines | map({key: .key, value: .seen}) | from_entries) |
	if $rows > 0 and $lines == [] and $operation.state == "running" then
		.out = (if .drawn > 0 then "\u001b[\(.drawn)A" else "" end) +
			"\r\u001b[J" + ("resolving \($operation.request.ref //
			"" | plain)"[:$columns - 1]) + "\n" |
		.drawn = 1
	elif $rows > 0 then
		(if $lines | length < $rows then $lines
		else $lines | map(select(.item.state != "done")) |
			.[:$rows - 1] end) as $lines |
		.out = (if .drawn > 0 then "\u001b[\(.drawn)A" else "" end) +
			"\r\u001b[J" + ($lines | map(((.item | name) + " " +
			(.rate as $rate | .item | words($rate)))
			[:$columns - 1] + "\n") | join("")) |
		.drawn = ($lines | length)
	else
		.out = ($lines | map(select(.changed) | (.item | name) + " " +
			(.item | del(.offset) | words(null) |
			sub(" +$"; "")) + "\n") | join(""))
	end;
	.out)
