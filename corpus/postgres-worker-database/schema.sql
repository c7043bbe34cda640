CREATE TABLE orders (id serial PRIMARY KEY, article text NOT NULL, amount integer NOT NULL);
