/* One document through the extractor, for real_documents.long: prints its media type, seconds of processor time, the
 * extractor's memory in kB, pages, bytes of text, and why it is cut, parted by tabs; or why it failed. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "pipeline/extract.h"

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
	struct extracted extracted = { 0 };
	struct err err = { "" };
	struct rusage usage;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: extract_one FILE\n");
		return 2;
	}
	if (extract_file(fd, argv[1], NULL, NULL, &extracted, &err) < 0) {
		printf("%s\n", err.text);
		return 1;
	}
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%s\t%.2f\t%ld\t%u\t%zu\t%s\n", extracted.media_type,
	       seconds(&usage.ru_utime) + seconds(&usage.ru_stime), usage.ru_maxrss, extracted.n_pages,
	       extracted.n, extracted.truncated);
	extracted_done(&extracted);
	close(fd);
	return 0;
}
