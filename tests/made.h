/* Zip files made in memory, right or wrong, for tests and fuzzing. Without memory the program ends. */
#ifndef SKIMD_TESTS_MADE_H
#define SKIMD_TESTS_MADE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"

struct made { /* all zero is an empty one */
	struct buf bytes, directory; /* the directory is put behind the members in the end */
	unsigned n_members;
};

/* What a header says of its member; the same in front of it and in the directory. */
struct said {
	uint32_t crc, n_packed, n_unpacked;
	uint16_t flags, method;
};

static inline void put_u16(struct buf *buf, size_t value)
{
	buf_append(buf, &(uint8_t[]){ (uint8_t)value, (uint8_t)(value >> 8) }, 2);
}

static inline void put_u32(struct buf *buf, size_t value)
{
	put_u16(buf, value & 0xffff);
	put_u16(buf, value >> 16);
}

static inline void put_said(struct buf *buf, const struct said *said, const char *name)
{
	put_u16(buf, said->flags);
	put_u16(buf, said->method);
	put_u32(buf, 0x21 << 16); /* 1980-01-01 */
	put_u32(buf, said->crc);
	put_u32(buf, said->n_packed);
	put_u32(buf, said->n_unpacked);
	put_u16(buf, strlen(name));
	put_u16(buf, 0);
}

/* A member that is packed already, and what is said of it. */
static inline void made_add_as(struct made *made, const char *name, const void *packed, size_t n,
                               const struct said *said)
{
	size_t at = made->bytes.n;

	buf_append(&made->bytes, "PK\3\4\24\0", 6);
	put_said(&made->bytes, said, name);
	buf_puts(&made->bytes, name);
	buf_append(&made->bytes, packed, n);
	buf_append(&made->directory, "PK\1\2\24\0\24\0", 8);
	put_said(&made->directory, said, name);
	put_u16(&made->directory, 0);
	put_u32(&made->directory, 0);
	put_u32(&made->directory, 0);
	put_u32(&made->directory, at);
	buf_puts(&made->directory, name);
	made->n_members++;
}

static inline struct said said_of(const void *bytes, size_t n)
{
	return (struct said){ .crc = (uint32_t)crc32(0, bytes, (uInt)n),
		              .n_packed = (uint32_t)n,
		              .n_unpacked = (uint32_t)n };
}

static inline void made_add(struct made *made, const char *name, const char *text)
{
	struct said said = said_of(text, strlen(text));

	made_add_as(made, name, text, strlen(text), &said);
}

static inline struct buf deflated(const void *bytes, size_t n)
{
	struct buf packed = { 0 };
	z_stream stream = { 0 };

	if (deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	stream.next_in = (z_const Bytef *)bytes;
	stream.avail_in = (uInt)n;
	stream.avail_out = (uInt)deflateBound(&stream, n);
	stream.next_out = (Bytef *)buf_reserve(&packed, stream.avail_out);
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	packed.n = stream.total_out;
	deflateEnd(&stream);
	return packed;
}

static inline void made_add_packed(struct made *made, const char *name, const void *bytes, size_t n)
{
	struct said said = said_of(bytes, n);
	struct buf packed = deflated(bytes, n);

	said.method = 8;
	said.n_packed = (uint32_t)packed.n;
	made_add_as(made, name, packed.data, packed.n, &said);
	buf_done(&packed);
}

static inline void made_end(struct made *made)
{
	size_t at = made->bytes.n;

	buf_append(&made->bytes, made->directory.data, made->directory.n);
	buf_append(&made->bytes, "PK\5\6\0\0\0\0", 8);
	put_u16(&made->bytes, made->n_members);
	put_u16(&made->bytes, made->n_members);
	put_u32(&made->bytes, made->directory.n);
	put_u32(&made->bytes, at);
	put_u16(&made->bytes, 0);
	if (buf_status(&made->bytes) < 0)
		abort();
}

static inline void made_done(struct made *made)
{
	buf_done(&made->bytes);
	buf_done(&made->directory);
}

/* An Office package whose main part is of this type and lies there. */
static inline void made_add_office(struct made *made, const char *type, const char *part)
{
	struct buf text = { 0 };

	buf_printf(&text,
	           XML "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>"
	               "<Override PartName='/%s' "
	               "ContentType='application/vnd.openxmlformats-officedocument.%s'/></Types>",
	           part, type);
	made_add(made, "[Content_Types].xml", text.data);
	text.n = 0;
	buf_printf(&text,
	           XML "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>"
	               "<Relationship Id='r1' Type='http://schemas.openxmlformats.org/officeDocument/2006/"
	               "relationships/officeDocument' Target='%s'/></Relationships>",
	           part);
	made_add(made, "_rels/.rels", text.data);
	buf_done(&text);
}

/* Ids, types and targets by turns, up to NULL. */
static inline void made_add_relations(struct made *made, const char *member, const char *const *relations)
{
	struct buf text = { 0 };

	buf_puts(&text,
	         XML "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>");
	for (; *relations != NULL; relations += 3)
		buf_printf(
			&text,
			"<Relationship Id='%s' Type='http://schemas.openxmlformats.org/officeDocument/2006/"
			"relationships/%s' Target='%s'/>",
			relations[0], relations[1], relations[2]);
	buf_puts(&text, "</Relationships>");
	made_add(made, member, text.data);
	buf_done(&text);
}

#endif
