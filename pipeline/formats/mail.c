#include "pipeline/formats/mail.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "pipeline/formats/codepage.h"
#include "pipeline/formats/html.h"
#include "pipeline/formats/mail_text.h"
#include "pipeline/formats/mime_body.h"
#include "pipeline/formats/mime_header.h"

#define MAX_TYPE 80
#define MAX_LEVEL 9
#define N_LOOKED_AT 64 /* lines of a header that may tell a mail */

struct mail {
	const struct format_input *input;
	struct sink *sink;
	unsigned n_parts, n_texts, n_encrypted;
	bool too_many, too_deep;
	int r;
};

/* One part of a message: what its header says, and its bytes. */
struct part {
	struct mime_span header, body;
	struct buf content_type, disposition; /* the fields, with their parameters */
	char type[MAX_TYPE], kind[MAX_TYPE], encoding[MAX_TYPE]; /* kind: of the disposition */
};

static void read_part(struct mail *mail, struct mime_span header, struct mime_span body, const char *type,
                      unsigned depth);
static void read_message(struct mail *mail, struct mime_span whole, unsigned depth);

static void keep(struct mail *mail, int r)
{
	if (mail->r == 0)
		mail->r = r;
}

static void part_init(struct part *part, struct mime_span header, struct mime_span body, const char *type)
{
	struct buf encoding = { 0 };

	*part = (struct part){ .header = header, .body = body };
	if (mime_field(header, "content-type", &part->content_type))
		mime_value(part->content_type.data, part->type, sizeof(part->type));
	if (strchr(part->type, '/') == NULL)
		snprintf(part->type, sizeof(part->type), "%s", type);
	if (mime_field(header, "content-disposition", &part->disposition))
		mime_value(part->disposition.data, part->kind, sizeof(part->kind));
	if (mime_field(header, "content-transfer-encoding", &encoding))
		mime_value(encoding.data, part->encoding, sizeof(part->encoding));
	buf_done(&encoding);
}

static void part_done(struct part *part)
{
	buf_done(&part->content_type);
	buf_done(&part->disposition);
}

static bool part_param(const struct part *part, const char *name, struct buf *ret)
{
	return part->content_type.n > 0 && mime_param(part->content_type.data, name, ret);
}

static bool has_param(const struct part *part, const char *name, const char *value)
{
	struct buf found = { 0 };
	bool ret = part_param(part, name, &found) && found.n == strlen(value) &&
	           strncasecmp(found.data, value, found.n) == 0;

	buf_done(&found);
	return ret;
}

static bool is_type(const struct part *part, const char *start)
{
	return strncmp(part->type, start, strlen(start)) == 0;
}

static void decode_transfer(const struct part *part, struct buf *ret)
{
	if (strcmp(part->encoding, "base64") == 0)
		mime_decode_base64(part->body, ret);
	else if (strcmp(part->encoding, "quoted-printable") == 0)
		mime_decode_quoted(part->body, ret);
	else
		buf_append(ret, part->body.bytes, part->body.n);
}

/* What names no set is UTF-8 if it can be, as nearly all programs write it today. */
static void decode_charset(struct mail *mail, const struct part *part, const struct buf *bytes,
                           struct buf *ret)
{
	struct buf name = { 0 };
	bool is_named = part_param(part, "charset", &name) && name.n > 0;
	struct codepage *codepage;

	buf_append(&name, "", 1);
	codepage = codepage_open(buf_status(&name) == 0 && is_named    ? name.data
	                         : text_is_utf8(bytes->data, bytes->n) ? "utf-8"
	                                                               : "windows-1252");
	if (codepage == NULL)
		keep(mail, -ENOMEM);
	else
		codepage_append(codepage, bytes->data, bytes->n, ret);
	codepage_close(codepage);
	buf_done(&name);
}

static bool begins_with(const struct buf *text, const char *start)
{
	return text->n >= strlen(start) && memcmp(text->data, start, strlen(start)) == 0;
}

static void put_plain(struct mail *mail, const struct part *part, const struct buf *bytes)
{
	struct buf text = { 0 }, joined = { 0 };
	struct mime_span span;

	decode_charset(mail, part, bytes, &text);
	span = (struct mime_span){ text.data, text.n };
	if (has_param(part, "format", "flowed")) {
		mime_join_flowed(span, has_param(part, "delsp", "yes"), &joined);
		span = (struct mime_span){ joined.data, joined.n };
	}
	keep(mail, buf_status(&text));
	keep(mail, buf_status(&joined));
	if (mail->r == 0)
		keep(mail, mail_text_put(mail->sink, span));
	buf_done(&text);
	buf_done(&joined);
}

static void put_html(struct mail *mail, const struct part *part, const struct buf *bytes)
{
	struct buf charset = { 0 };
	struct html_page page = { .bytes = bytes->data, .n = bytes->n, .max_depth = mail->input->max_depth };
	bool has_text = false;
	int r;

	if (part_param(part, "charset", &charset)) {
		buf_append(&charset, "", 1);
		page.charset = charset.data;
	}
	r = html_read(&page, mail->sink, &has_text, NULL);
	if (r == -EFBIG)
		mail->too_deep = true;
	else
		keep(mail, r);
	buf_done(&charset);
}

static void read_text(struct mail *mail, const struct part *part)
{
	struct buf bytes = { 0 };

	decode_transfer(part, &bytes);
	keep(mail, buf_status(&bytes));
	if (begins_with(&bytes, "-----BEGIN PGP MESSAGE-----")) {
		mail->n_encrypted++;
	} else if (mail->r == 0 && bytes.n > 0) {
		mail->n_texts++;
		if (strcmp(part->type, "text/html") == 0)
			put_html(mail, part, &bytes);
		else
			put_plain(mail, part, &bytes);
	}
	buf_done(&bytes);
}

static void put_line(struct mail *mail, const char *name, const struct buf *value)
{
	sink_begin(mail->sink, SINK_PARAGRAPH, 0);
	sink_text(mail->sink, name, strlen(name));
	sink_text(mail->sink, ": ", 2);
	if (value->n > 0)
		sink_text(mail->sink, value->data, value->n);
	keep(mail, sink_end(mail->sink));
}

static void name_attachment(struct mail *mail, const struct part *part)
{
	struct buf name = { 0 }, words = { 0 };

	if ((part->disposition.n > 0 && mime_param(part->disposition.data, "filename", &name)) ||
	    part_param(part, "name", &name)) {
		buf_append(&name, "", 1);
		if (buf_status(&name) == 0)
			mime_decode_words(name.data, &words);
		buf_puts(&words, " (");
	}
	buf_puts(&words, part->type);
	buf_puts(&words, name.n > 0 ? ")" : "");
	if (buf_status(&words) == 0)
		put_line(mail, "Attachment", &words);
	buf_done(&name);
	buf_done(&words);
}

/* The parts between the lines of a boundary. */
struct multipart {
	struct mime_span rest;
	struct buf boundary;
	bool begun, ended;
};

/* Whether a line is the boundary's; the last one has two more dashes. */
static bool is_boundary(const struct multipart *multipart, struct mime_span line, bool *ret_last)
{
	const size_t n = multipart->boundary.n;

	if (line.n < n + 2 || memcmp(line.bytes, "--", 2) != 0 ||
	    memcmp(line.bytes + 2, multipart->boundary.data, n) != 0)
		return false;
	line.bytes += n + 2;
	line.n -= n + 2;
	*ret_last = line.n >= 2 && memcmp(line.bytes, "--", 2) == 0;
	while (!*ret_last && line.n > 0 && isspace((unsigned char)line.bytes[line.n - 1]))
		line.n--;
	return *ret_last || line.n == 0;
}

static bool next_part(struct multipart *multipart, struct mime_span *ret)
{
	struct mime_span line, start = multipart->rest;
	bool was_begun;

	while (!multipart->ended && mime_next_line(&multipart->rest, &line)) {
		if (!is_boundary(multipart, line, &multipart->ended))
			continue;
		was_begun = multipart->begun;
		multipart->begun = true;
		*ret = (struct mime_span){ start.bytes, (size_t)(line.bytes - start.bytes) };
		if (was_begun)
			return true;
		start = multipart->rest;
	}
	if (multipart->ended || !multipart->begun || start.n == 0)
		return false;
	multipart->ended = true; /* cut short: the last part has no line behind it */
	*ret = start;
	return true;
}

/* Of several forms of one text the plain one, unless it is empty; else HTML; else the last, which is the richest. */
static struct mime_span choose_form(struct multipart multipart)
{
	struct mime_span child, header, body, ret = { NULL, 0 };
	int best = -1;

	while (next_part(&multipart, &child)) {
		struct part part;
		int rank;

		mime_split(child, &header, &body);
		part_init(&part, header, body, "text/plain");
		while (body.n > 0 && isspace((unsigned char)body.bytes[body.n - 1]))
			body.n--;
		rank = body.n == 0                    ? 0
		       : is_type(&part, "text/plain") ? 3
		       : is_type(&part, "text/html")  ? 2
		                                      : 1;
		if (rank >= best)
			ret = rank > best || rank == 1 ? child : ret;
		best = rank > best ? rank : best;
		part_done(&part);
	}
	return ret;
}

static void read_child(struct mail *mail, struct mime_span child, const char *type, unsigned depth)
{
	struct mime_span header, body;

	mime_split(child, &header, &body);
	read_part(mail, header, body, type, depth + 1);
}

static void read_children(struct mail *mail, const struct part *part, struct multipart *multipart,
                          unsigned depth)
{
	const char *type = strcmp(part->type, "multipart/digest") == 0 ? "message/rfc822" : "text/plain";
	struct mime_span child;

	while (mail->r == 0 && next_part(multipart, &child))
		read_child(mail, child, type, depth);
}

static void read_multipart(struct mail *mail, const struct part *part, unsigned depth)
{
	struct multipart multipart = { .rest = part->body };

	if (strcmp(part->type, "multipart/encrypted") == 0) {
		mail->n_encrypted++;
	} else if (!part_param(part, "boundary", &multipart.boundary) || multipart.boundary.n == 0) {
		read_text(mail, part); /* damaged: all of it, rather than nothing */
	} else if (strcmp(part->type, "multipart/alternative") == 0) {
		struct mime_span child = choose_form(multipart);

		if (child.n > 0)
			read_child(mail, child, "text/plain", depth);
	} else {
		read_children(mail, part, &multipart, depth);
	}
	buf_done(&multipart.boundary);
}

static bool is_encrypted(const struct part *part)
{
	return (strcmp(part->type, "application/pkcs7-mime") == 0 ||
	        strcmp(part->type, "application/x-pkcs7-mime") == 0) &&
	       !has_param(part, "smime-type", "signed-data");
}

static bool is_signature(const struct part *part)
{
	return strcmp(part->type, "application/pgp-signature") == 0 ||
	       strcmp(part->type, "application/pkcs7-signature") == 0 ||
	       strcmp(part->type, "application/x-pkcs7-signature") == 0;
}

/* A message within a message may be encoded, against the rules. */
static void read_nested(struct mail *mail, const struct part *part, unsigned depth)
{
	struct buf bytes = { 0 };

	if (strcmp(part->encoding, "base64") == 0 || strcmp(part->encoding, "quoted-printable") == 0) {
		decode_transfer(part, &bytes);
		keep(mail, buf_status(&bytes));
		read_message(mail, (struct mime_span){ bytes.data, bytes.n }, depth + 1);
	} else {
		read_message(mail, part->body, depth + 1);
	}
	buf_done(&bytes);
}

static void read_kind(struct mail *mail, const struct part *part, unsigned depth)
{
	if (is_type(part, "multipart/"))
		read_multipart(mail, part, depth);
	else if (is_encrypted(part))
		mail->n_encrypted++;
	else if (is_signature(part))
		return;
	else if (strcmp(part->type, "message/rfc822") == 0)
		read_nested(mail, part, depth);
	else if (strcmp(part->kind, "attachment") == 0)
		name_attachment(mail, part);
	else if (is_type(part, "text/") || strcmp(part->type, "message/delivery-status") == 0)
		read_text(mail, part);
	else
		name_attachment(mail, part);
}

static void read_part(struct mail *mail, struct mime_span header, struct mime_span body, const char *type,
                      unsigned depth)
{
	struct part part;

	if (depth >= mail->input->max_depth)
		mail->too_deep = true;
	else if (mail->n_parts >= mail->input->max_members)
		mail->too_many = true;
	if (depth >= mail->input->max_depth || mail->n_parts >= mail->input->max_members || mail->r < 0)
		return;
	mail->n_parts++;
	part_init(&part, header, body, type);
	read_kind(mail, &part, depth);
	part_done(&part);
}

/* Append a field's words. false: it is not there, or empty. */
static bool read_field(struct mime_span header, const char *name, struct buf *ret)
{
	struct buf field = { 0 };
	bool found = mime_field(header, name, &field);

	if (found)
		mime_decode_words(field.data, ret);
	buf_done(&field);
	for (size_t i = 0; found && i < ret->n; i++)
		if (!isspace((unsigned char)ret->data[i]))
			return buf_status(ret) == 0;
	return false;
}

static void put_head(struct mail *mail, struct mime_span header, unsigned depth)
{
	static const char *const NAMES[] = { "From", "To", "Cc", "Date" };
	struct buf words = { 0 };

	if (read_field(header, "subject", &words)) {
		sink_begin(mail->sink, SINK_HEADING, depth < MAX_LEVEL ? depth + 1 : MAX_LEVEL);
		sink_text(mail->sink, words.data, words.n);
		keep(mail, sink_end(mail->sink));
	}
	for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
		words.n = 0;
		if (read_field(header, NAMES[i], &words))
			put_line(mail, NAMES[i], &words);
	}
	keep(mail, buf_status(&words));
	buf_done(&words);
}

static void read_message(struct mail *mail, struct mime_span whole, unsigned depth)
{
	struct mime_span header, body;

	mime_split(whole, &header, &body);
	put_head(mail, header, depth);
	read_part(mail, header, body, "text/plain", depth);
}

static int mail_end(struct mail *mail, struct err *err)
{
	if (mail->r < 0)
		return err_set(err, mail->r, "the mail could not be read: %s", strerror(-mail->r));
	if (mail->n_encrypted > 0 && mail->n_texts == 0)
		return err_set(err, -EACCES, "an encrypted mail");
	if (mail->too_deep)
		sink_truncated(mail->sink, "its parts are nested too deeply");
	if (mail->too_many)
		sink_truncated(mail->sink, "it has too many parts");
	if (mail->n_encrypted > 0)
		sink_truncated(mail->sink, "a part of it is encrypted");
	return 0;
}

static int parse_mail(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct mail mail = { .input = input, .sink = sink };

	read_message(&mail, (struct mime_span){ input->bytes, input->n }, 0);
	return mail_end(&mail, err);
}

/* "From somebody@example.org Thu Jan  1 00:00:00 2026": a time, at least. */
static bool is_from_line(struct mime_span line)
{
	return line.n > 15 && memcmp(line.bytes, "From ", 5) == 0 &&
	       memchr(line.bytes, ':', line.n) != NULL && memchr(line.bytes + 5, ' ', line.n - 5) != NULL;
}

static bool is_message_start(struct mime_span line, struct mime_span rest)
{
	struct mime_span next;

	return is_from_line(line) && mime_next_line(&rest, &next) && mime_field_name(next) > 0;
}

/* The message at the start of rest, behind its "From " line, up to the next one's. */
static struct mime_span take_message(struct mime_span *rest)
{
	struct mime_span line, message;
	bool after_blank = false;

	mime_next_line(rest, &line);
	message = (struct mime_span){ rest->bytes, rest->n };
	while (mime_next_line(rest, &line)) {
		if (after_blank && is_message_start(line, *rest)) {
			message.n = (size_t)(line.bytes - message.bytes);
			rest->n += (size_t)(rest->bytes - line.bytes);
			rest->bytes = line.bytes;
			break;
		}
		after_blank = line.n == 0;
	}
	return message;
}

static void begin_section(struct mail *mail, struct mime_span message, unsigned number)
{
	struct mime_span header, body;
	struct buf name = { 0 };

	mime_split(message, &header, &body);
	if (!read_field(header, "subject", &name))
		buf_printf(&name, "message %u", number);
	keep(mail, buf_status(&name));
	if (mail->r == 0)
		keep(mail, sink_section(mail->sink, name.data, name.n));
	buf_done(&name);
}

static int parse_mbox(const struct format_input *input, struct sink *sink, struct err *err)
{
	struct mail mail = { .input = input, .sink = sink };
	struct mime_span rest = { input->bytes, input->n };

	for (unsigned number = 1; rest.n > 0 && mail.r == 0; number++) {
		struct mime_span message = take_message(&rest);

		mail.n_parts =
			0; /* the limit is on a message's parts: a mailbox may hold any number of messages */
		begin_section(&mail, message, number);
		read_message(&mail, message, 0);
	}
	return mail_end(&mail, err);
}

static bool is_known_field(struct mime_span line, size_t n_name)
{
	static const char *const KNOWN[] = { "from",          "to",           "subject",     "date",
		                             "received",      "message-id",   "return-path", "mime-version",
		                             "delivered-to",  "content-type", "reply-to",    "sender",
		                             "dkim-signature" };

	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (n_name == strlen(KNOWN[i]) && strncasecmp(line.bytes, KNOWN[i], n_name) == 0)
			return true;
	return false;
}

/* Nothing but fields up to an empty line, three of them a mail's; two will do where the name says so. */
static bool is_header(struct mime_span text, unsigned n_wanted)
{
	struct mime_span line;
	unsigned n_known = 0;

	for (int i = 0; i < N_LOOKED_AT && mime_next_line(&text, &line) && line.n > 0; i++) {
		size_t n_name = mime_field_name(line);

		if (n_name == 0 && (i == 0 || (line.bytes[0] != ' ' && line.bytes[0] != '\t')))
			return false;
		n_known += n_name > 0 && is_known_field(line, n_name);
	}
	return n_known >= n_wanted;
}

static bool is_mail(const struct format_input *input)
{
	const char *ending = strrchr(input->name, '.');
	bool is_named = ending != NULL && strcasecmp(ending, ".eml") == 0;

	return is_header((struct mime_span){ input->bytes, input->n }, is_named ? 1 : 3);
}

static bool is_mbox(const struct format_input *input)
{
	struct mime_span rest = { input->bytes, input->n }, line;

	return mime_next_line(&rest, &line) && is_message_start(line, rest) && is_header(rest, 1);
}

const struct format FORMAT_MAIL = { "message/rfc822", "an e-mail", false, is_mail, parse_mail };
const struct format FORMAT_MBOX = { "application/mbox", "a mailbox", false, is_mbox, parse_mbox };
