// The prompt grammar's tables, as the server writes them (`grammar_tables` in pipelines/prompts/grammar.py, by ui/parts/scripts.py).

/** A number in a prompt: by how much a press changes it, and the most that has an effect. */
export type Step = { step: string; most: number };

export const tables: {
  token: string;
  tag: string;
  unsaid: string;
  number: string;
  breaks: string;
  stronger: number;
  weaker: number;
  weight: Step;
  strength: Step;
};
