/** Injects the names of the tables of the account views. */
export const ACCOUNT_VIEW_TABLES = Symbol('AccountViewTables');

/** Injects the document client that reads them. */
export const ACCOUNT_VIEW_CLIENT = Symbol('AccountViewClient');
