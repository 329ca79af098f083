"""What language models are told who write and check rubrics (`murk.rewards.synthesis`)."""

CRITERIA = """Below is a summary of what is known on a subject. Somebody will be asked a question about it and write a
report without ever seeing the summary. Write the criteria by which that report is to be marked.

Each criterion
- says one thing only, that a report either does or does not; split what has an "and" in it;
- can be decided from the report alone: it names the fact, number, name or comparison that is wanted;
- is written in the language with the tag {language};
- has a weight from 1 (minor) to {highest} (decisive), always positive;
- has an axis of one or two words, such as "facts", "reasoning", "sources", "form";
- has a role: "explicit" for what the question itself will ask for, "implicit" for what an expert expects though nobody
  asks for it, "negative" for a flaw that a careless report would have, such as a false or outdated value.

Write 6 to 20 criteria, and at least two of each role.

The summary:
{summary}

Answer with one JSON object and nothing else:
{{"criteria": [{{"text": "...", "weight": 5, "axis": "...", "role": "explicit"}}]}}"""

OBJECTIVE = """This criterion is used to mark reports:
{criterion}

Suppose that two careful people read the same report and mark it by this criterion, without talking to each other. It is
objective if they must come to the same mark: it says one thing, names what is wanted, and leaves nothing to taste
("good", "clear", "enough", "well"). It may still need knowledge of the subject.

Answer with one JSON object and nothing else:
{{"reason": "<one sentence>", "objective": true}}"""

QUESTION = """Reports will be marked by these criteria:
{criteria}

Write the question, in the language with the tag {language}, that a person would have asked who wants such a report. It
asks for everything that the explicit criteria mark. It does not ask for what the implicit ones mark, does not mention
the negative ones, and gives no answer, number or name away that a report is to find out. It is natural, in one to four
sentences, and speaks of no criteria or marks.

Answer with one JSON object and nothing else:
{{"question": "..."}}"""

ROLES = """A report is to answer this question:
{question}

It will be marked by these criteria:
{criteria}

Say of each criterion which role it has: "explicit" if the question itself asks for it, "implicit" if the question does
not ask for it but a report on this question by an expert would have it, "negative" if it is a flaw, and "none" if it
has nothing to do with the question.

Answer with one JSON object and nothing else:
{{"roles": [{{"number": 0, "role": "explicit"}}]}}"""

AGAIN = "\n\nYour last answer could not be read. Answer with the JSON object alone."
