"""What a person sees of the journal: the verb, the story, the replay."""
