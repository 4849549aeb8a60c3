#!/usr/bin/env python3
"""Makes the PDF files beside it, byte by byte, so that what is in them is known: no tool's version changes them.
encrypted.pdf and owner.pdf, which opens without a password, are one.pdf by qpdf."""
import os
import subprocess
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def text(lines):
    """A page's content: (x, y, size, words) each."""
    out = []
    for x, y, size, words in lines:
        words = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        out.append("BT /F1 %d Tf %d %d Td (%s) Tj ET" % (size, x, y, words))
    return "\n".join(out).encode("latin-1")


def pdf(pages, packed=False):
    """A file of the pages' contents, with a right table of objects."""
    n = len(pages)
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>",
               b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(n)), n),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>"]
    for i, content in enumerate(pages):
        objects.append(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
                       b" /Contents %d 0 R >>" % (5 + 2 * i))
        data = zlib.compress(content, 9) if packed else content
        objects.append(b"<< /Length %d%s >>\nstream\n%s\nendstream"
                       % (len(data), b" /Filter /FlateDecode" if packed else b"", data))
    out, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)


BODY = ["The keeper of the northern light wrote down the weather every evening, whatever the sea",
        "was doing, and in the spring of the fourth year he noticed that the lamp burned more oil",
        "than the tables said it should. He asked the harbour for an exam-",
        "ination of the burner, which was granted. Nothing was found."]
SECOND = ["The second keeper trusted the tables more than the lamp, and changed nothing at all for",
          "as long as he had the post. After him the light was run from the harbour by wire."]


def page(number, lines, first_y=740):
    """Lines between a running head and a foot with the page's number."""
    all_lines = [(72, 800, 9, "Annals of the Northern Light"), (420, 800, 9, "Part %d" % ((number + 1) // 2))]
    y = first_y
    for line in lines:
        all_lines.append((72, y, 11, line))
        y -= 30 if line == "" else 13
    return text([line for line in all_lines if line[3]] + [(290, 40, 9, "- %d -" % number)])


def annals(blank=0):
    pages = [b""] * blank
    pages += [page(1, ["1.1 The Lamp", ""] + BODY + ["", "\x95 a lamp of brass", "\x95 oil for a winter"]),
             page(2, ["1.2 The Keepers", ""] + SECOND + ["", "The last report of the keeper, which nobody had asked"
                                                        " for, ends in the middle of the"], 740),
             page(3, ["sentence that he had begun."] + [""] + BODY[:2]),
             page(4, ["2.1 The Wire", ""] + SECOND), page(5, SECOND), page(6, BODY)]
    return pdf(pages, packed=True)


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def main():
    whole = annals()
    one = pdf([text([(72, 700, 12, "The harbour opens at noon.")])])
    write("annals.pdf", whole)
    write("later.pdf", annals(blank=2))  # the same, two pages further back
    write("one.pdf", one)
    write("scan.pdf", pdf([b"0.5 g 72 72 400 600 re f", b"0.2 g 72 72 400 600 re f"]))
    write("cut.pdf", whole[:len(whole) // 3])
    # The table of objects points nowhere, and has to be made anew from what stands in the file.
    write("table.pdf", one.replace(b"startxref\n", b"startxref\n9"))
    # Pages that are their own parents and children, and a stream that says it is its own length.
    write("loop.pdf", one.replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]").replace(b"/Parent 2 0 R", b"/Parent 4 0 R"))
    write("endless.pdf", one.replace(b"/Kids [4 0 R]", b"/Kids [4 0 R 2 0 R 4 0 R]"))
    write("length.pdf", one.replace(b"/Length ", b"/Length 99999999"))
    # Ten megabytes of one letter, packed into ten kilobytes.
    write("bomb.pdf", pdf([b"BT /F1 1 Tf 0 0 Td (" + b"x" * 10000000 + b") Tj ET"], packed=True))
    write("junk.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 4)
    for name, user in (("encrypted.pdf", "secret"), ("owner.pdf", "")):
        subprocess.run(["qpdf", "--static-id", "--allow-weak-crypto", "--encrypt", user, "owner", "128", "--use-aes=n",
                        "--extract=n", "--", "one.pdf", name], cwd=HERE, check=True)


if __name__ == "__main__":
    main()
