"""An invented world: entities, their names and facts, and the pages that tell of them, as pure functions of a seed."""
