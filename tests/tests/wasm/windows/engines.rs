//! On which engines there are windows, and what guests are told on the others.

use iommap::windows::{Unsupported, supported};
use iommap::{IommapCtx, IommapCtxView, IommapView};
use iommap_tests::Scene;
use iommap_tests::scene::{Kind, fnv, pattern};
use iommap_tests::windows::{FREE, TOKEN, UNIT};
use wasmtime::component::{
    Component, ComponentNamedList, Instance, Lift, Linker, Lower, ResourceTable,
};
use wasmtime::{Config, Engine, PoolingAllocationConfig, Store, StoreContextMut};

/// What a store holds.
struct State {
    iommap: IommapCtx,
    table: ResourceTable,
}

impl IommapView for State {
    fn iommap(&mut self) -> IommapCtxView<'_> {
        IommapCtxView { ctx: &mut self.iommap, table: &mut self.table }
    }
}

/// A guest with the file `f` open, on an engine of its own.
struct Guest {
    store: Store<State>,
    instance: Instance,
}

impl Guest {
    fn new(engine: &Engine, scene: &Scene) -> Guest {
        let mut linker = Linker::<State>::new(engine);
        iommap::add_to_linker(&mut linker, State::iommap).unwrap();
        iommap::windows::add_to_linker(&mut linker, State::iommap).unwrap();
        let hear = |_: StoreContextMut<'_, State>, (_,): (String,)| Ok(());
        linker.root().func_wrap("hear", hear).unwrap();
        let iommap = scene.grant_windows().build();
        let mut store = Store::new(engine, State { iommap, table: ResourceTable::new() });
        let component = Component::new(engine, iommap_tests::windows::component()).unwrap();
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let mut guest = Guest { store, instance };
        assert_eq!(guest.call::<_, (u32,)>("map-file", ("/data/f", 0u32, 0u32)).0, 0);
        guest.call::<_, ()>("store", ((FREE + 2 * UNIT - 8) as u32, TOKEN));
        guest
    }

    #[track_caller]
    fn call<P, R>(&mut self, name: &str, params: P) -> R
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name).unwrap();
        function.call(&mut self.store, params).unwrap()
    }

    /// Opens a window: 0, or one more than the error's number.
    fn open(&mut self) -> u32 {
        let params = (0u32, 0u64, UNIT, FREE, 2 * UNIT, TOKEN, 0u32);
        self.call::<_, (u32,)>("window", params).0
    }
}

fn engine(configure: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::new();
    config.concurrency_support(false).cache(Some(iommap_tests::scene::cache()));
    configure(&mut config);
    Engine::new(&config).unwrap()
}

fn scene() -> Scene {
    let scene = Scene::new(Kind::Sync);
    scene.write("f", pattern(2 * UNIT as usize));
    scene
}

#[test]
fn on_an_engine_that_can_not_have_windows_the_answer_is_enotsup() {
    const ENOTSUP: u32 = 1 + 13;
    let pooled = engine(|config| {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_memories(1).total_tables(4).total_core_instances(8);
        config.allocation_strategy(pool);
    });
    let movable = engine(|config| {
        config.memory_reservation(1 << 20);
    });
    let wide = engine(|config| {
        config.wasm_memory64(true).wasm_component_model_memory64(true);
    });
    let foreign = engine(|config| {
        config.memory_init_cow(false);
    });
    let engines = [
        (pooled, Unsupported::Pooled, "pooled"),
        (movable, Unsupported::Movable, "move"),
        (wide, Unsupported::Movable, "move"),
        (foreign, Unsupported::Foreign, "memory_init_cow"),
    ];
    let scene = scene();
    for (engine, reason, word) in engines {
        assert_eq!(supported(&engine), Err(reason));
        assert!(reason.to_string().contains(word), "{reason}");
        let mut guest = Guest::new(&engine, &scene);
        assert_eq!(guest.open(), ENOTSUP, "{reason}");
        assert_eq!(guest.call::<_, (u64,)>("load", (FREE as u32,)).0, 0);
    }
}

#[test]
fn on_an_engine_whose_memories_stay_where_they_are_there_are_windows() {
    let few_guards = engine(|config| {
        config.memory_guard_size(0);
    });
    let fixed = engine(|config| {
        config.memory_reservation(40 << 20).memory_may_move(false);
    });
    let scene = scene();
    for engine in [engine(|_| {}), few_guards, fixed] {
        assert_eq!(supported(&engine), Ok(()));
        let mut guest = Guest::new(&engine, &scene);
        assert_eq!(guest.open(), 0);
        guest.call::<_, (u32,)>("grow", (64u32,));
        guest.call::<_, (u32,)>("grow", (1u32 << 15,));
        let (hash,) = guest.call::<_, (u64,)>("hash", (FREE as u32, UNIT as u32));
        assert_eq!(hash, fnv(&pattern(UNIT as usize)));
        assert_eq!(guest.call::<_, (u32,)>("check", (0u32,)).0, 0);
        let load = guest.instance.get_typed_func::<(u32,), (u64,)>(&mut guest.store, "load");
        assert!(load.unwrap().call(&mut guest.store, (0xffff_fff0,)).is_err());
    }
}
