# Turns a text file into a C string constant: embed.py INPUT OUTPUT NAME
import sys

source, output, name = sys.argv[1:]
with open(source, encoding="utf-8") as f:
    lines = f.read().splitlines()
with open(output, "w", encoding="utf-8") as f:
    f.write(f"static const char {name}[] =\n")
    for line in lines:
        escaped = line.replace("\\", "\\\\").replace('"', '\\"')
        f.write(f'"{escaped}\\n"\n')
    f.write(";\n")
