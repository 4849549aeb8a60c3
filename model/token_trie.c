#include "model/token_trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* A node's children stand side by side, by rising byte. */
struct node {
	uint32_t first_child, token;
	uint16_t n_children;
	unsigned char byte; /* that leads here */
};

struct token_trie {
	const struct tokenizer *tokenizer;
	struct node *nodes;
};

struct token {
	const char *bytes;
	size_t n;
	uint32_t id;
};

/* While the trie is built: the nodes, and for each the sorted tokens that begin with its bytes. */
struct building {
	struct token *tokens;
	size_t n_tokens;
	struct node *nodes;
	struct range {
		uint32_t first, end;
		size_t depth;
	} * ranges;
	size_t n_nodes, cap_nodes, cap_ranges;
};

static int by_bytes(const void *a, const void *b)
{
	const struct token *left = a, *right = b;
	int order = memcmp(left->bytes, right->bytes, left->n < right->n ? left->n : right->n);

	return order != 0 ? order : (left->n > right->n) - (left->n < right->n);
}

static int collect_tokens(const struct tokenizer *tokenizer, struct building *building)
{
	uint32_t n_vocab = tokenizer_n_vocab(tokenizer);

	building->tokens = array_new(struct token, n_vocab);
	if (building->tokens == NULL)
		return -ENOMEM;
	for (uint32_t id = 0; id < n_vocab; id++) {
		struct token *token = &building->tokens[building->n_tokens];

		token->id = id;
		token->bytes = tokenizer_bytes(tokenizer, id, &token->n);
		if (token->bytes != NULL)
			building->n_tokens++;
	}
	qsort(building->tokens, building->n_tokens, sizeof(*building->tokens), by_bytes);
	return 0;
}

static int add_node(struct building *building, unsigned char byte, struct range range)
{
	const struct token *first = &building->tokens[range.first];

	if (building->n_nodes >= TOKEN_TRIE_NONE)
		return -EFBIG;
	if (array_grow(&building->nodes, sizeof(*building->nodes), building->n_nodes, &building->cap_nodes) <
	            0 ||
	    array_grow(&building->ranges, sizeof(*building->ranges), building->n_nodes,
	               &building->cap_ranges) < 0)
		return -ENOMEM;
	building->ranges[building->n_nodes] = range;
	building->nodes[building->n_nodes++] = (struct node){
		.byte = byte,
		.token = range.first < range.end && first->n == range.depth ? first->id : TOKEN_TRIE_NONE,
	};
	return 0;
}

/* One child for each byte that some token of the node goes on with. */
static int add_children(struct building *building, size_t i_node)
{
	struct range range = building->ranges[i_node], child = { .depth = range.depth + 1 };
	int r = 0;

	if (building->nodes[i_node].token != TOKEN_TRIE_NONE)
		range.first++;
	building->nodes[i_node].first_child = (uint32_t)building->n_nodes;
	for (child.first = range.first; r == 0 && child.first < range.end; child.first = child.end) {
		char byte = building->tokens[child.first].bytes[range.depth];

		child.end = child.first + 1;
		while (child.end < range.end && building->tokens[child.end].bytes[range.depth] == byte)
			child.end++;
		r = add_node(building, (unsigned char)byte, child);
		building->nodes[i_node].n_children++;
	}
	return r;
}

int token_trie_new(const struct tokenizer *tokenizer, struct token_trie **ret, struct err *err)
{
	struct token_trie *trie = calloc(1, sizeof(*trie));
	struct building building = { 0 };
	int r = trie == NULL ? -ENOMEM : collect_tokens(tokenizer, &building);

	if (r == 0)
		r = add_node(&building, 0, (struct range){ .end = (uint32_t)building.n_tokens });
	for (size_t i = 0; r == 0 && i < building.n_nodes; i++)
		r = add_children(&building, i);
	free(building.tokens);
	free(building.ranges);
	if (r < 0) {
		free(building.nodes);
		free(trie);
		return err_set(err, r, "no trie of %u tokens: %s", tokenizer_n_vocab(tokenizer),
		               strerror(-r));
	}
	*trie = (struct token_trie){ tokenizer, building.nodes };
	*ret = trie;
	return 0;
}

void token_trie_free(struct token_trie *trie)
{
	if (trie == NULL)
		return;
	free(trie->nodes);
	free(trie);
}

const struct tokenizer *token_trie_tokenizer(const struct token_trie *trie)
{
	return trie->tokenizer;
}

uint32_t token_trie_step(const struct token_trie *trie, uint32_t node, char byte)
{
	uint32_t low = trie->nodes[node].first_child, high = low + trie->nodes[node].n_children;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (trie->nodes[middle].byte == (unsigned char)byte)
			return middle;
		if (trie->nodes[middle].byte < (unsigned char)byte)
			low = middle + 1;
		else
			high = middle;
	}
	return TOKEN_TRIE_NONE;
}

uint32_t token_trie_token(const struct token_trie *trie, uint32_t node)
{
	return trie->nodes[node].token;
}
