#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# vectors.sh VECTORS FOLDER: what the replay says of files that are damaged, cut or foreign, and that
# no field of a vector file goes unread.
vectors=$1
data=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# status WANTED FILE SENTENCE WHAT: exit status and a part of what is printed
status() {
	n=$((n + 1))
	"$vectors" "$2" >"$dir/out" 2>&1
	got=$?
	if [ $got = "$1" ] && grep -q -e "$3" "$dir/out"; then
		echo "ok $n - $4"
	else
		echo "not ok $n - $4"
		echo "# status $got, wanted $1 and \"$3\":"
		sed 's/^/# /' "$dir/out" | head -5
	fi
}

# edit FILE SED: a copy of a vector file, edited
edit() {
	gzip -dcf "$data/$1" | sed "$2" >"$dir/edited"
}

status 2 "$dir/none" 'No such file' 'a missing file'
status 2 "$dir" 'vectors: ' 'a folder'
head -c 20000 "$data/buddy-64M-seed1.txt.gz" >"$dir/cut.gz"
status 2 "$dir/cut.gz" 'cut short' 'a truncated archive'
head -c 5000 /dev/urandom >"$dir/noise"
status 2 "$dir/noise" 'not a vector file' 'noise'
: >"$dir/empty"
status 2 "$dir/empty" 'not a vector file' 'an empty file'
edit boot-64M-seed1.txt '1s/topic=bootstages/topic=swap/'
status 2 "$dir/edited" 'not a vector file' 'an unknown topic'

# One change a topic: a wrong number, a field or a line nobody knows, a lost end.
edit zones-64M-seed1.txt.gz '/^node /s/$/ colour=blue/'
status 1 "$dir/edited" 'colour= is not understood' 'an unknown field'
edit zones-64M-seed1.txt.gz '5i swap 1 2 3'
status 1 "$dir/edited" 'not understood' 'an unknown line'
edit zones-64M-seed1.txt.gz '$d'
status 1 "$dir/edited" 'ends before its last line' 'a file without its end'
edit zones-64M-seed1.txt.gz '/^setmin/s/dirty=/dirty=1/'
status 1 "$dir/edited" 'dirty is' 'zones: a wrong reserve'
edit boot-64M-seed1.txt '/after_kmem_cache_init begin/,$s/^blocks zone=Normal\(.*\) 0x1/blocks zone=Normal\1 1x1/'
status 1 "$dir/edited" 'has type' 'boot: a wrong block type'
edit buddy-64M-seed1.txt.gz '0,/^free .*mt=2/s/^\(free .*mt=2 list= [0-9]*\) .*/\1/'
status 1 "$dir/edited" 'pages are free' 'buddy: a list that lost blocks'
edit buddy-64M-seed1.txt.gz '0,/^a /s/^a \([0-9]*\) \([0-9a-f]*\) \([0-9]*\) .*/a \1 \2 99 1/'
status 1 "$dir/edited" 'pfn is' 'buddy: an order no kernel has'
edit exhaust-64M-seed1.txt.gz 's/^pcp zone=DMA cpu=0/pcp zone=DMA cpu=9/'
status 1 "$dir/edited" 'none of this machine' 'exhaust: a CPU no machine has'
edit kmalloc-32M-seed1.txt 's/ksize=131072/ksize=131073/'
status 1 "$dir/edited" 'ksize is' 'kmalloc: a wrong size'
edit slabgeom-1G-seed1.txt.gz '0,/^geom/s/ num=/ num=1/'
status 1 "$dir/edited" 'num is' 'slabgeom: a wrong number of objects'
edit slabseq-1G-seed1.txt.gz '0,/^ ac .*top)=[0-9]/s/^\( ac .*top)=[0-9:,]*\)$/\1,0:0/'
status 1 "$dir/edited" 'array holds more' 'slabseq: an object too many in an array'
edit vmalloc-1G-seed1.txt.gz 's/^dump final end areas=/&1/'
status 1 "$dir/edited" 'areas is' 'vmalloc: a wrong number of areas'
edit kmap-1G-seed1.txt.gz 's/^\(pages (slot=pfn:bucket): 0=[0-9]*\):[0-9]*/\1:3/'
status 1 "$dir/edited" 'bucket is' 'kmap: a wrong bucket'
edit memblock-1G-seed1.txt.gz 's/^\(alloc_base.*-> \)0/\1 1000/'
status 1 "$dir/edited" 'address is' 'memblock: a wrong address'
edit mempool-1G-seed1.txt.gz 's/gfp=GFP_[A-Z]*/gfp=GFP_SWAP/'
status 1 "$dir/edited" 'not understood' 'mempool: an unknown mask'
edit percpu-1G-seed1.txt.gz 's/^chunk \(.*\) populated=1/chunk \1 populated=0/'
status 1 "$dir/edited" 'populated is' 'percpu: a page that is not there'

# A dump says all there is: behind the operations of a prefix the rest may be missing.
for file in buddy-64M-seed1.txt.gz slabseq-1G-seed1.txt.gz vmalloc-1G-seed1.txt.gz; do
	gzip -dcf "$data/$file" | awk '
		/^(dump|state) mid/ { seen++ }
		seen == 2 && /^(a|f|c|D|g|vmalloc|vfree|get_vm_area|vmap|remove_vm_area)( |$)/ { exit }
		{ print }
		END { print "=== events cut allocstall=0 pageoutrun=1 compactstall=0" }' >"$dir/edited"
	status 0 "$dir/edited" 'mismatches=0' "$file up to its second dump"
done

echo "1..$n"
