// Written by scripts/types.mjs from openapi.json: do not edit.
export interface paths {
    "/v1/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All alerts, those that fire first. */
        get: operations["alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alerts/try": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** What a condition would do now. */
        post: operations["try_alert"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/alerts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Keeps an alert, or changes it. */
        put: operations["save_alert"];
        post?: never;
        /** Forgets an alert. */
        delete: operations["delete_alert"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes a call, or a batch of them. */
        post: operations["collect"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/catalogue": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All tables and views of the project. */
        get: operations["catalogue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/dead-letters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The letters of the job, the newest first. */
        get: operations["letters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/dead-letters/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Puts letters aside for ever. */
        post: operations["discard"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/dead-letters/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Sends records again, as they were or put right. */
        post: operations["redrive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/dead-letters/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One letter with its record. */
        get: operations["letter"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/decisions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Approves or rejects a proposed decision. */
        post: operations["review"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/events/{table}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Takes the rows of a request: all are durable when the answer is 200, else none is there. */
        post: operations["post_events"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The steps that would keep a query right, were it saved as a view. */
        post: operations["explain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/lineage/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where the columns of a view come from. */
        get: operations["lineage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document. */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/people": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The people of the project. */
        get: operations["people"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/people/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Makes somebody known, or changes what they are called and may do, with all of their tokens. */
        put: operations["keep_person"];
        post?: never;
        /** Takes somebody out, with all of their tokens. */
        delete: operations["remove_person"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/restart": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends the job between two steps, and begins it again with the project as it is now. */
        post: operations["restart"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The rules that hold, and the guards. */
        get: operations["rules"];
        /** Changes rules. */
        put: operations["change_rules"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/rules/simulate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** What the prices would be with other rules. */
        post: operations["simulate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/segments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The segments that somebody has built. */
        get: operations["segments"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/segments/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** How many fit conditions now. */
        post: operations["count_segment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/segments/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Saves a segment. */
        put: operations["save_segment"];
        post?: never;
        /** Deletes a segment. */
        delete: operations["delete_segment"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Saves a source into the project. */
        post: operations["save_source"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The first rows of a source that is not there yet. Nothing is written. */
        post: operations["try_source"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sql": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Answers a `SELECT` over the views. */
        post: operations["sql"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How the job stands. A job of many views has thousands of operators, each with the names of all
         *     outputs that it works for: who looks again and again says how many are enough.
         */
        get: operations["status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tokens of the project: what they are called and good for, never what they are. */
        get: operations["tokens"];
        put?: never;
        /** Makes a token. The answer is the only place where it is shown. */
        post: operations["create_token"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tokens/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Takes a token back. */
        delete: operations["revoke_token"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/views": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The views of the job. */
        get: operations["list"];
        put?: never;
        /** Saves a query as a materialized view of the project. */
        post: operations["save_view"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/views/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A page of a view. */
        get: operations["page"];
        put?: never;
        post?: never;
        /** Takes a view that was saved out of the project. */
        delete: operations["remove_view"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/views/{name}/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A view, and then what changes in it. */
        get: operations["changes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/views/{name}/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The row of a key. */
        get: operations["point"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who the server takes the caller for. */
        get: operations["whoami"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Letters to send again. */
        Again: {
            /** @description Of one letter whose record is JSON: members to replace. */
            edit?: unknown;
            /** @description Their ids. */
            ids: string[];
            /** @description Of one letter: another record in its place. */
            record?: string | null;
        };
        /** @description Letters to put aside. */
        Aside: {
            /** @description Their ids. */
            ids: string[];
        };
        /** @description What a member must have, or must not have. */
        Condition: {
            /** @description Whether who has it is no member. */
            is_excluded?: boolean;
            /** @description The tag: a `tag_code` of `customer_tag_rule`. */
            tag_code: string;
            /** @description One of these values; none: whichever. */
            values?: string[];
        };
        /** @description Conditions to count. */
        Conditions: {
            /** @description All of them must hold. */
            conditions: components["schemas"]["Condition"][];
        };
        /**
         * @description What a rule looks at.
         * @enum {string}
         */
        Kind: "stock_age" | "demand" | "competitor" | "margin";
        /** @description An alert as somebody wants it. */
        NewAlert: {
            /** @description A condition over its columns, in SQL. */
            condition: string;
            /** @description `notice`, `warning` or `critical`. */
            severity: string;
            /** @description How it is called. */
            title: string;
            /** @description A materialized view. */
            view: string;
        };
        /** @description Somebody to make known, or to change. */
        NewPerson: {
            /** @description `admin`, `analyst`, `viewer` or `ingest`. */
            role: string;
            /** @description What they are called. */
            title: string;
        };
        /** @description A token to make. */
        NewToken: {
            /**
             * Format: int32
             * @description After how many days it ends; none: never.
             */
            days?: number | null;
            /** @description Its name. */
            name: string;
            /** @description Who is to have it. */
            person?: string | null;
            /** @description `admin`, `analyst`, `viewer` or `ingest`; none: what `person` may do. */
            role?: string | null;
        };
        /** @description A query to explain. */
        QueryToExplain: {
            /** @description One `SELECT` over tables and views of the project. */
            query: string;
        };
        /** @description A question. */
        Question: {
            /**
             * Format: int64
             * @description As of which step; none: the newest.
             */
            as_of?: number | null;
            /** @description One `SELECT`. */
            query: string;
            /** @description How many rows it may answer, 10,000 at most. */
            rows_max?: number | null;
            /**
             * Format: int64
             * @description How many milliseconds it may take, 10,000 at most.
             */
            timeout_ms?: number | null;
        };
        /** @description A review. */
        Review: {
            /** @description Why. */
            note?: string | null;
            /** @description What is said. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description A rule as somebody wants it. */
        Rule: {
            /**
             * Format: int32
             * @description Of `stock_age` and `demand`.
             */
            days?: number | null;
            /** @description Whether it is heard at all. */
            is_active: boolean;
            /** @description What it looks at. */
            kind: components["schemas"]["Kind"];
            /** @description Why it is so. */
            note?: string | null;
            /**
             * Format: int32
             * @description The lowest that speaks is heard.
             */
            priority: number;
            /**
             * Format: double
             * @description A share: 0.15 is 15 %.
             */
            rate: number;
            /** @description Its name; the rule of this name is changed, or there is one more. */
            rule_id: string;
        };
        /** @description Rules to change or to try. */
        Rules: {
            /** @description Those that change; all others stay. */
            rules: components["schemas"]["Rule"][];
        };
        /** @description A segment as somebody wants it. */
        Segment: {
            /** @description All of them must hold. */
            conditions: components["schemas"]["Condition"][];
            /** @description How it is called. */
            title: string;
        };
        /** @description A source to save. */
        SourceToSave: {
            /** @description What it is for. */
            comment?: string | null;
            /** @description The table's name: lower-case letters, digits and `_`. */
            name: string;
            /** @description A `CREATE TABLE`, and a view over it where there is one. */
            text: string;
        };
        /** @description What somebody wants to look at. */
        SourceToTry: {
            /** @description A `SELECT` over it; none: all its columns. */
            query?: string | null;
            /** @description Records in the place of those that the source has. */
            sample?: string | null;
            /** @description A `CREATE TABLE`. */
            table: string;
        };
        /** @description A condition to try. */
        Tried: {
            /** @description A condition over its columns, in SQL. */
            condition: string;
            /** @description A materialized view. */
            view: string;
        };
        /**
         * @description What somebody says on a decision.
         * @enum {string}
         */
        Verdict: "approve" | "reject";
        /** @description A view to save. */
        ViewToSave: {
            /** @description What it is for. */
            comment?: string | null;
            /** @description Its name: lower-case letters, digits and `_`. */
            name: string;
            /** @description One `SELECT` over tables and views of the project. */
            query: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    alerts: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description each with whether it fires, since when, and rows that do it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    try_alert: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Tried"];
            };
        };
        responses: {
            /** @description step, how many rows fulfil it, and some of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it is no condition over this view */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    save_alert: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its name: lower-case letters, digits and `_` */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAlert"];
            };
        };
        responses: {
            /** @description it is kept in alerts.json of the project, and looked at */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it is no condition over this view */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    delete_alert: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description it is forgotten */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such alert */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    collect: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": string;
            };
        };
        responses: {
            /** @description what was taken is durable; `ignored` and `refused` say what not */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description nothing could be taken */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the project has no table that the call is for */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    catalogue: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description name, kind, columns, key, query of each; saved, running or not */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    letters: {
        parameters: {
            query?: {
                /** @description of this table alone */
                table?: string;
                /** @description open, waiting, redriven or discarded */
                status?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description letters, how many there are, and how many of each status */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the job has no state, and keeps none */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    discard: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Aside"];
            };
        };
        responses: {
            /** @description they are not open any more */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a letter is not open */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    redrive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Again"];
            };
        };
        responses: {
            /** @description they are durable: the job takes them, once */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the record cannot be edited so */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a letter is not open, or cannot be taken as it was */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    letter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its id, or how it begins */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the letter; its record as text, or as base64 where it is none */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description there is no such letter */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    review: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its decision_id */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Review"];
            };
        };
        responses: {
            /** @description decision_id, verdict, actor and reviewed_at: it is durable */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such decision in decision_state */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it does not wait for anybody (any more); status says how it is */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    post_events: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description a table with 'connector' = 'http' */
                table: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": string;
            };
        };
        responses: {
            /** @description all rows are durable */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description some rows are not those of the table; nothing was stored */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    explain: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["QueryToExplain"];
            };
        };
        responses: {
            /** @description steps, the last one first, each with those that it reads */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no view can be made of the query */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    lineage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description a table or view of the project */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description members below it, edges from column to column, who reads it */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such table or view */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description this document */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    people: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description name, what they are called, role, since when */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    keep_person: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description by what they are noted */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPerson"];
            };
        };
        responses: {
            /** @description as they are known now */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such name, or nobody would be an admin any more */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    remove_person: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description by what they are noted */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description their tokens are good for nothing within a second */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description nobody of this name, or nobody would be an admin any more */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    restart: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the server is away for a moment, and goes on where it was */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the job keeps no state, or cannot be started again from here */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    rules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description step, rules, guards, and warnings of rules */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the project does not include the pack `pricing` */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    change_rules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rules"];
            };
        };
        responses: {
            /** @description they are durable, and hold from the job's next step on */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a rule is none; nothing was changed */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    simulate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rules"];
            };
        };
        responses: {
            /** @description prices that would become others, and what that brings a day */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a rule is none */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    segments: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description step, and segments with title, conditions and members */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the project does not include the pack `customers` */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    count_segment: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Conditions"];
            };
        };
        responses: {
            /** @description step, members, of how many, and some of them */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description they are none */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    save_segment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its name: lower-case letters, digits and '_' */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Segment"];
            };
        };
        responses: {
            /** @description it is durable; its members are those of segment_built_member */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it is none */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    delete_segment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description its name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description it is gone from the job's next step on */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    save_source: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceToSave"];
            };
        };
        responses: {
            /** @description its file and columns; it begins with the next run */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a statement is wrong */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it is no source, or reads what it may not */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    try_source: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceToTry"];
            };
        };
        responses: {
            /** @description columns, rows, and the records that cannot be read, with why */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the statement is wrong */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the source cannot be opened, or a value cannot be computed */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    sql: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Question"];
            };
        };
        responses: {
            /** @description step, columns and rows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the query is wrong, or no SELECT over views */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the query takes too much time, rows or memory */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description too many queries at once */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    status: {
        parameters: {
            query?: {
                /** @description so many of the busiest; none: all */
                operators?: number;
                /** @description and those that this output is made by */
                output?: string;
                /** @description and this source, with all that it feeds */
                source?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description rows, sources, outputs, operators and what they read */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description name, role, when made, when it ends; whether one is needed */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    create_token: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewToken"];
            };
        };
        responses: {
            /** @description the token, shown this once */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such role, or too long */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description there is one of this name, or the first is not of an admin */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    revoke_token: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description the token's name */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description it is good for nothing within a second */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such token, or it is the last admin's */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description name, columns, key and rows of every view, at one step */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    save_view: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ViewToSave"];
            };
        };
        responses: {
            /** @description its file and columns; it begins with the next run */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no view can be made of the query */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description there is one of this name, or the project is one file */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    page: {
        parameters: {
            query?: {
                /** @description rows of a page, 1 to 10000; 100 */
                limit?: number;
                /** @description columns, `-` before one for highest first */
                order?: string;
                /** @description the `next` of the page before */
                cursor?: string;
                /** @description a step; none: the newest */
                as_of?: number;
            };
            header?: never;
            path: {
                /** @description the view */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description rows; every other parameter is a filter on a column */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a parameter is wrong */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such view */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description the step is no longer kept */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    remove_view: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description a view that was saved */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description its file is gone; the job keeps the view until its end */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such view */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description it is in a file that somebody wrote, or something reads it */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    changes: {
        parameters: {
            query?: {
                /** @description changes after this step, without a snapshot */
                from?: number;
            };
            header?: never;
            path: {
                /** @description the view */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description `snapshot`, `change` and `dropped` events; filters as for rows */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description changes after the step are no longer kept */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    point: {
        parameters: {
            query?: {
                /** @description a step; none: the newest */
                as_of?: number;
            };
            header?: never;
            path: {
                /** @description the view */
                name: string;
                /** @description the values of its key, separated by commas */
                key: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the row */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description no such view, or no row with this key */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    whoami: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description the token's name, its role and what it may do */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description a token is needed */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
