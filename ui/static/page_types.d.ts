// What the scripts of the page say to each other, for the type checker. What the server says and is told stands in messages.d.ts.
import type * as messages from "./messages.d.ts";

/** One of two messages: either has fields that the other lacks. */
type Either<One, Other> = Partial<One & Other>;

/** Functions of the server that a component may call, each of one argument. */
export type Server = {
  lists: (checkpoint: string) => Promise<messages.FormOffers>;
  count: (asked: messages.PromptQuestion) => Promise<messages.PromptNotes>;
  plan: (asked: messages.PlanQuestion) => Promise<messages.PlanLines>;
  fit: (asked: messages.SizeQuestion) => Promise<number[]>;
  adopt: (id: string) => Promise<Either<messages.TakenPicture, messages.Message>>;
  preview: (asked: messages.UnitQuestion) => Promise<Either<messages.UnitMap, messages.Message>>;
  preprocessors: () => Promise<messages.OfferedPreprocessor[]>;
  weights_state: (asked: messages.WeightsOrder) => Promise<Either<messages.WeightsState, messages.Failure>>;
  estimators: () => Promise<messages.OfferedEstimator[]>;
  estimate: (asked: messages.DepthQuestion) => Promise<Either<messages.TakenPicture, messages.Message>>;
  find: (asked: messages.DetailsQuestion) => Promise<Either<messages.FoundBoxes, messages.Message>>;
  detectors: () => Promise<messages.OfferedDetector[]>;
  reading: (asked: messages.ReadersQuestion) => Promise<messages.ReadersLine>;
  drive: (asked: messages.DriveOrder) => Promise<Either<messages.Driven, messages.Message>>;
  take: (job: string) => Promise<Either<messages.TakenKind, messages.Message>>;
  put_back: (order: messages.PutBackOrder) => Promise<messages.Message>;
  folder: (path: string) => Promise<messages.FolderPictures>;
  owns: () => Promise<boolean>;
  [name: string]: (asked?: any) => Promise<any>;
};

/** What Gradio hands to the script of a component. */
export type Given = {
  element: HTMLElement;
  /** Tells Python of an event; its name must stand in the component's own module, where ui/parts/components.py looks for it. */
  trigger: (name: string, detail?: unknown) => void;
  /** `value` and what `piece(...)` was given. */
  props: Record<string, any>;
  server: Server;
  watch: (name: string, act: () => void) => void;
};

/** The values of a form, by the names of the request's fields. */
export type Values = Record<string, any>;

/** What is painted on the picture of a form; boxes are left, top, right, bottom, or null where there is nothing. */
export type Painted = {
  kind: string;
  width: number;
  height: number;
  bounds: number[] | null;
  /** Of what is not wholly painted; only a mask has it. */
  inverse?: number[] | null;
  full?: boolean;
};

/** How the studio stands, and the browser's own word when it hears nothing of it. */
export type Engine = messages.EngineState & Partial<Omit<messages.StudioState, "engine">>;

/** The queue as it was told last; `at`: when, in milliseconds. */
export type Queue = messages.QueueNews & { jobs: messages.QueuedJob[]; at: number };
/** What was done to pictures; `emptied`: the bin. */
export type Marked = { ids: string[]; rating?: number; favourite?: boolean; deleted?: boolean; boards?: boolean; emptied?: boolean };

/** Events between components: name -> what it tells. In the document they are called “atelier:NAME”. */
export type PageEvents = {
  /** A form has these values now. */
  form: { kind: string; values: Values };
  /** What the library offers a form. */
  lists: { kind: string; lists: Record<string, any> };
  /** Another checkpoint was chosen by hand; the size is the one of before. */
  chosen: { kind: string; width: number; height: number; from: string; to: string };
  /** A LoRA that brings what suits it was picked by hand. */
  picked: { kind: string; suits: Record<string, any> };
  /** The state of the engine. */
  engine: Engine;
  /** The library has changed. */
  library: undefined;
  /** The list of preprocessors has come. */
  makers: undefined;
  /** Somebody wants the state of the engine at once. */
  look: undefined;
  painted: Painted;
  /** The inside of a picture is to be shown. */
  inside: { id: string };
  /** A picture was put in by hand. */
  opened: { kind: string; width: number; height: number };
  /** What a run will draw: a box of the picture, and a sentence about it. */
  preflight: { kind: string; box?: number[] | null; sentence?: string; crops?: number[][] };
  /** The boxes of a form, and which of them is chosen; what hands have made of them on the picture; what a detector has found. */
  boxes: { kind: string; boxes: import("./box_layer.js").Box[]; chosen: number };
  /** Of the regions of a form, which of those before each is now, -1 for a new one. */
  renumbered: { kind: string; kept: number[] };
  boxed: { kind: string; boxes: import("./box_layer.js").Box[]; chosen: number };
  found: { kind: string; boxes: import("./box_layer.js").Box[]; labels: string[] };
  /** A component shows a value that another one keeps: it wants to set it, and hears that it was set. */
  hold: { id: string; value: string };
  held: { id: string; value: string };
  /** Pictures are done. */
  drawn: { kind: string; pictures: messages.PictureSummary[] };
  /** The queue has moved, or what runs has. */
  queue: Queue;
  /** Heat over what forms is to be switched on or off (`open.heat` of page.js); every button for it shows how it stands. */
  heat: undefined;
  /** Another tab is open. */
  tab: { tab: string; canvas: boolean };
  /** A picture is to be shown with all about it; `chosen`: somebody has chosen it outside the surface. */
  picture: { id: string; chosen?: boolean };
  /** A picture waits for another to be compared with; "": none does. */
  pairing: { id: string };
  /** A picture of the library is to be shown on the surface of the tab that is open. */
  surface: messages.PictureSummary;
  /** Two to four pictures are to be compared. */
  compare: { ids: string[] };
  /** Pictures were rated, put on boards, thrown away or brought back, in this window or another. */
  marked: Marked;
  /** A picture of a kind goes into a tab, or with "" its settings into the form that made it. */
  send: { id: string; kind: string; to: string; frame?: number };
  /** The list of saved finishes was looked up. */
  finishes: { finishes: messages.FinishLine[] };
  /** The card that reads pictures and settings is to open, and to read a file, if there is one. */
  reading: File | undefined;
  /** The dialog that checks a picture is to open, and to check a file, if there is one. */
  check: File | undefined;
  /** The presets are to open, for the form of a kind. */
  presets: { kind: string };
  /** The dialog of people is to open, for a link to a board. */
  people: { board: string } | undefined;
  /** Who is at the shared board that is open, or drawn onto, and what is drawn there; null: at none. */
  together: messages.TogetherNews | null;
  /** The board that is drawn onto (`told.desk` of page.js) is another one, or looks otherwise. */
  desk: undefined;
  /** A board is to be shown. */
  board: { id: string };
  /** Who is followed may be another one. */
  followed: undefined;
  /** Who is followed has opened this picture, so it is opened here. */
  lead: { id: string };
  /** The dialog in which the owner brings in folders is to open. */
  folders: undefined;
  /** The colour in which masks are shown; "": one that suits. */
  tint: { color: string };
};
