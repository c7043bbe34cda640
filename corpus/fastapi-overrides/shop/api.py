from fastapi import Depends, FastAPI, HTTPException

app = FastAPI()


class User:
    def __init__(self, name, admin=False):
        self.name = name
        self.admin = admin


def get_current_user():
    return User("guest")


def get_catalogue():
    return {"tea": 3, "mug": 9}


@app.get("/me")
def me(user=Depends(get_current_user)):
    return {"name": user.name, "admin": user.admin}


@app.get("/items")
def items(catalogue=Depends(get_catalogue)):
    return sorted(catalogue)


@app.get("/items/{name}")
def item(name, catalogue=Depends(get_catalogue)):
    if name not in catalogue:
        raise HTTPException(404)
    return {"name": name, "price": catalogue[name]}


@app.delete("/items/{name}")
def remove(name, user=Depends(get_current_user), catalogue=Depends(get_catalogue)):
    if not user.admin:
        raise HTTPException(403)
    return {"removed": name in catalogue}
