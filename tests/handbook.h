/* Questions of tests/data/handbook/handbook.md, whose twenty sections are about as long as each other, each with words of the
 * answer that stand in no other section. */
#ifndef SKIMD_TESTS_HANDBOOK_H
#define SKIMD_TESTS_HANDBOOK_H

#define HANDBOOK "handbook/handbook.md"

struct handbook_question {
	const char *text, *answer;
};

static const struct handbook_question HANDBOOK_QUESTIONS[] = {
	{ "Who built the lock?", "Josef Halden" },
	{ "Who was the last keeper of the lighthouse?", "Maren Otte" },
	{ "Who drives the crane?", "Tomas Brekke" },
	{ "What is the name of the ferry?", "Annika" },
	{ "Who founded the weather station?", "Emil Rask" },
	{ "Who sailed alone to Iceland?", "Ines Falk" },
	{ "Who is the chairwoman of the harbour council?", "Henrike Voss" },
	{ "Who fetches up rubbish from the harbour?", "Ruth Adler" },
	{ "Who fled by a rope ladder?", "Black Peter" },
	{ "Who owns the smokehouse?", "Lindqvist" },
	{ "When was the breakwater raised the last time?", "1998" },
	{ "What are the blocks of the breakwater made of?", "granite" },
	{ "How often does a ship sound the horn?", "three times" },
	{ "Where do visitors who arrive late leave their papers?", "green box" },
	{ "How much does a berth cost?", "nine crowns" },
	{ "What is the income from fees used for?", "upkeep of the northern breakwater" },
	{ "How many steps does the tower have?", "one hundred and twelve" },
	{ "Where are diesel and petrol sold?", "pontoon" },
	{ "What does the harbour master keep in the yellow shed?", "sawdust" },
	{ "At what time is fish sold by auction?", "five in the morning" },
	{ "How much ice does the machine make?", "eight tons" },
	{ "How much does the crane lift?", "twelve tons" },
	{ "On which days are masts set?", "Tuesdays" },
	{ "What are old crane cables cut up for?", "mooring rings" },
	{ "Where are boats stored in winter?", "sheds behind the railway" },
	{ "What began the fire in 1989?", "a battery" },
	{ "How long does the ferry take?", "twenty-five minutes" },
	{ "Who travels free on the ferry?", "Bicycles" },
	{ "How are the crew of the rescue boat called?", "siren" },
	{ "How many people has the rescue boat brought home?", "two hundred and three" },
	{ "What does a black ball on the signal mast mean?", "gale" },
	{ "Where does the weather report hang?", "office door" },
	{ "Where does the pilot come on board?", "grey buoy" },
	{ "On which channel is a pilot asked for?", "channel twelve" },
	{ "What kind of window does the house of the pilots have?", "round window" },
	{ "What is the oldest building of the harbour?", "customs house" },
	{ "Where are plants and animals declared?", "on the right" },
	{ "Where does the drinking water come from?", "spring below the church" },
	{ "What are kettles cleaned with?", "vinegar" },
	{ "Where are flares taken?", "police" },
	{ "What does the workshop in Hollen make from nets?", "carpets" },
	{ "At what age do children begin to sail?", "eight" },
	{ "What does the winner of the race get?", "compass" },
	{ "Which birds nest on the gravel?", "Terns" },
	{ "What keeps dogs away from the birds?", "a fence" },
	{ "Who makes the count of birds?", "pupils of the island school" },
	{ "When is the feast of the harbour?", "second weekend of July" },
	{ "What is the prize for the best song?", "smoked ham" },
	{ "In which colour is the lighthouse lit at midnight?", "green" },
	{ "To which court can one appeal?", "court in Hollen" },
};

#endif
